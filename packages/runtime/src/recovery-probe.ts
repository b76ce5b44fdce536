/** How to find out cheaply that a dependency that failed answers again. */
export interface RecoveryProbe {
  /** Resolves when the dependency is there again; rejects when it is not. Must cost its owner next to nothing. */
  ask(signal: AbortSignal): Promise<void>;
  /** Between two questions, in milliseconds; spread by a quarter either way, so that a fleet does not ask in step. */
  everyMs: number;
}

/** A question that takes longer was answered too late. Milliseconds. */
const answerMs = 1_000;

export interface ProbeLoop {
  /** Asks until there is an answer, which it says once, or until stopped. Does nothing while it is asking. */
  start(): void;
  stop(): void;
}

/** One question at a time, the first after a pause. */
export function makeProbeLoop({ ask, everyMs }: RecoveryProbe, onAnswer: () => void): ProbeLoop {
  let timer: NodeJS.Timeout | undefined;
  let round = 0;

  function later(mine: number): void {
    timer = setTimeout(() => void once(mine), everyMs * (0.75 + Math.random() / 2));
    timer.unref();
  }

  async function once(mine: number): Promise<void> {
    const there = await ask(AbortSignal.timeout(answerMs)).then(
      () => true,
      () => false,
    );
    if (mine !== round) return;
    if (!there) return later(mine);
    stop();
    onAnswer();
  }

  function stop(): void {
    round += 1;
    clearTimeout(timer);
    timer = undefined;
  }

  return {
    start() {
      if (timer === undefined) later(round);
    },
    stop,
  };
}
