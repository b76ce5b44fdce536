import { ProblemError } from '@sidestage/contracts';

/** Weight of the newest measurement in the running average. */
const newestShare = 0.1;

export interface HashingLineOptions {
  /** Pieces of work at once. */
  atOnce: number;
  /** Whoever would wait longer than this is refused, in milliseconds. */
  maxWaitMs: number;
  /** What a piece of work takes until the first has been measured, in milliseconds. */
  firstGuessMs: number;
  /** Milliseconds of a clock that only goes forward. */
  now?: () => number;
}

/** A line for slow work: few at once, in order, and no longer than can be worked off in a bearable time. */
export interface HashingLine {
  /** Throws `overloaded`, with the time in which the line will have been worked off, when it is too long. */
  run<T>(work: () => Promise<T>): Promise<T>;
}

/** How long the work takes is measured: it depends on the machine and on what else it does. */
export function makeHashingLine(options: HashingLineOptions): HashingLine {
  const { atOnce, maxWaitMs, now = () => performance.now() } = options;
  const waiting: (() => void)[] = [];
  let running = 0;
  let averageMs = options.firstGuessMs;
  let measured = false;

  function measure(tookMs: number): void {
    averageMs = measured ? averageMs + newestShare * (tookMs - averageMs) : tookMs;
    measured = true;
  }

  function refuseLongWait(): void {
    const waitMs = (waiting.length * averageMs) / atOnce;
    if (waitMs < maxWaitMs) return;
    throw new ProblemError('overloaded', {
      detail: 'More people sign in or up than passwords can be checked at the moment; please try again later.',
      retryAfterSeconds: Math.ceil(waitMs / 1000),
      violatedPolicies: ['password_hashing'],
    });
  }

  return {
    async run(work) {
      if (running >= atOnce) {
        refuseLongWait();
        await new Promise<void>((resolve) => waiting.push(resolve));
      } else running += 1;
      const startedAt = now();
      try {
        return await work();
      } finally {
        measure(now() - startedAt);
        // The place is handed on, so nobody overtakes.
        const next = waiting.shift();
        if (next) next();
        else running -= 1;
      }
    },
  };
}
