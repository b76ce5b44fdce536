import CircuitBreaker from 'opossum';
import type { Logger } from './logger.js';
import type { Metrics } from './metrics.js';
import { makeProbeLoop, type RecoveryProbe } from './recovery-probe.js';

export interface BreakerOptions {
  /** `dependency` label of ai_chat_breaker_state. */
  name: string;
  /** Share of failures that opens it, 1 to 100. */
  errorPercent: number;
  /** Until a trial call after opening, in milliseconds. */
  resetMs: number;
  /** Calls in the rolling 10 s below which it never opens. opossum's default of 0 opens on the first error. */
  volumeThreshold?: number;
  /** Longest time a half-open trial may hang before it counts as failed: one that never ends would block opossum for ever. Default 120,000 ms. */
  trialMs?: number;
  /** While it is open: asked now and then, and an answer lets one trial call through before `resetMs` have passed. Absent: only time does. */
  probe?: RecoveryProbe;
  logger: Logger;
  metrics: Metrics;
}

/** The breaker is open: the call was not tried. */
export class BreakerOpenError extends Error {
  constructor(readonly dependency: string) {
    super(`${dependency} is failing, not asked again yet`);
    this.name = 'BreakerOpenError';
  }
}

export interface Breaker {
  readonly name: string;
  readonly state: 'closed' | 'half_open' | 'open';
  /**
   * Runs `call` unless open. `call` has its own deadlines and signal: opossum's timeout is off, because its shared AbortController aborts
   * neighbours. An error for which `neutral` is true (a 429, an abort, a refused request) says nothing about the dependency's health.
   */
  run<T>(call: () => Promise<T>, neutral?: (error: unknown) => boolean): Promise<T>;
  close(): void;
}

type Outcome<T> = { ok: true; value: T } | { ok: false; error: unknown };
/** A circuit breaker on opossum (share of failures in a rolling window; then closed to calls; then one trial). */
export function makeBreaker(options: BreakerOptions): Breaker {
  const { trialMs = 120_000 } = options;
  const breaker = new CircuitBreaker(async (call: () => Promise<Outcome<unknown>>) => call(), {
    timeout: false,
    errorThresholdPercentage: options.errorPercent,
    resetTimeout: options.resetMs,
    volumeThreshold: options.volumeThreshold ?? 5,
    rollingCountTimeout: 10_000,
    name: options.name,
  });
  const gauge = (value: number) => options.metrics.breakerState.set({ dependency: options.name }, value);
  gauge(0);
  /** The probe was answered: the next call is the trial. */
  let answered = false;
  const probing = options.probe
    ? makeProbeLoop(options.probe, () => {
        answered = true;
        gauge(1);
      })
    : null;
  const recovered = () => {
    answered = false;
    probing?.stop();
  };
  breaker.on('open', () => {
    gauge(2);
    probing?.start();
    options.logger.warn({ dependency: options.name, reset_ms: options.resetMs }, 'breaker opened');
  });
  breaker.on('halfOpen', () => {
    recovered();
    gauge(1);
  });
  breaker.on('close', () => {
    recovered();
    gauge(0);
    options.logger.info({ dependency: options.name }, 'breaker closed');
  });

  const state = (): Breaker['state'] =>
    breaker.opened && !answered ? 'open' : breaker.closed ? 'closed' : 'half_open';

  /** opossum cannot be told to half-open: the trial runs beside it and closes it when it succeeds. */
  async function earlyTrial<T>(call: () => Promise<T>): Promise<T> {
    answered = false;
    gauge(2);
    try {
      const value = await withDeadline(call, trialMs);
      breaker.close();
      return value;
    } catch (error) {
      if (breaker.opened) probing?.start();
      throw error;
    }
  }

  return {
    name: options.name,
    get state() {
      return state();
    },
    async run<T>(call: () => Promise<T>, neutral: (error: unknown) => boolean = () => false): Promise<T> {
      if (breaker.opened && answered) return earlyTrial(call);
      if (breaker.opened) throw new BreakerOpenError(options.name);
      const trial = breaker.halfOpen;
      // opossum counts a filtered error as a success, which would close a half-open breaker: outside a trial a neutral error passes as a
      // value; in a trial it fails the trial, and the next one is tried after the reset time.
      const attempt = async (): Promise<Outcome<T>> => {
        try {
          return { ok: true, value: await withDeadline(call, trial ? trialMs : undefined) };
        } catch (error) {
          if (!trial && neutral(error)) return { ok: false, error };
          throw error;
        }
      };
      let outcome: Outcome<T>;
      try {
        outcome = (await breaker.fire(attempt)) as Outcome<T>;
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'EOPENBREAKER')
          throw new BreakerOpenError(options.name);
        throw error;
      }
      if (!outcome.ok) throw outcome.error;
      return outcome.value;
    },
    close: () => {
      probing?.stop();
      breaker.shutdown();
    },
  };
}

async function withDeadline<T>(call: () => Promise<T>, deadlineMs: number | undefined): Promise<T> {
  if (deadlineMs === undefined) return call();
  let timer: NodeJS.Timeout | undefined;
  try {
    return await Promise.race([
      call(),
      new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`no end within ${deadlineMs} ms`)), deadlineMs);
      }),
    ]);
  } finally {
    clearTimeout(timer);
  }
}
