import type { OwnedProcess, ProcessExit } from '@sidestage/embedded';

/** A child that is started again when it ends by itself. */
export interface Supervised {
  /** Resolves when it is ready. @throws what the first start throws; later failures are only told. */
  start(): Promise<void>;
  /** No restart from here on; resolves when it has ended. May be called while it starts. */
  stop(): Promise<void>;
}

export interface SuperviseOptions {
  /** Starts it and resolves when it is ready; `started` may be told its process before it is. */
  start: (started: (child: OwnedProcess) => void) => Promise<OwnedProcess>;
  stop: (child: OwnedProcess) => Promise<unknown>;
  /** Each process that has started, the first and every later one. */
  onStarted: (child: OwnedProcess) => void;
  /** It ended by itself; the next start follows in `delayMs`. */
  onCrash: (exit: ProcessExit, delayMs: number) => void;
  /** It is ready again after a crash. */
  onRecovered: () => void;
  /** A restart did not come up; the next follows in `delayMs`. */
  onFailed: (error: unknown, delayMs: number) => void;
  firstDelayMs?: number;
  maxDelayMs?: number;
  /** After running this long its crashes count as new, in milliseconds. */
  settledAfterMs?: number;
}

/** How a process ended, in words. */
export function describeExit({ code, signal }: ProcessExit): string {
  return signal ? `ended by ${signal}` : `ended with code ${code}`;
}

/** Keeps a child running: started again at first soon and, while it keeps ending, ever later. */
export function makeSupervised(options: SuperviseOptions): Supervised {
  const { firstDelayMs = 250, maxDelayMs = 30_000, settledAfterMs = 60_000 } = options;
  const stopping = new AbortController();
  let child: OwnedProcess | undefined;
  let delayMs = firstDelayMs;
  /** The first start, and after it the watch over every later one. */
  let work: Promise<unknown> = Promise.resolve();

  const tell = (started: OwnedProcess): void => {
    if (started === child) return;
    child = started;
    options.onStarted(started);
  };
  const startOnce = async (): Promise<OwnedProcess> => {
    const ready = await options.start(tell);
    tell(ready);
    return ready;
  };
  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      stopping.signal.addEventListener('abort', () => {
        clearTimeout(timer);
        resolve();
      });
    });

  const revive = async (): Promise<OwnedProcess | undefined> => {
    for (;;) {
      const waitMs = delayMs;
      delayMs = Math.min(delayMs * 2, maxDelayMs);
      await pause(waitMs);
      if (stopping.signal.aborted) return undefined;
      try {
        const next = await startOnce();
        options.onRecovered();
        return next;
      } catch (error) {
        if (stopping.signal.aborted) return undefined;
        options.onFailed(error, delayMs);
      }
    }
  };
  const watch = async (first: OwnedProcess): Promise<void> => {
    let current: OwnedProcess | undefined = first;
    while (current) {
      const since = performance.now();
      const exit: ProcessExit = await current.exited;
      if (stopping.signal.aborted) return;
      if (performance.now() - since > settledAfterMs) delayMs = firstDelayMs;
      options.onCrash(exit, delayMs);
      current = await revive();
    }
  };

  return {
    async start() {
      const starting = startOnce();
      work = starting.catch(() => undefined);
      const first = await starting;
      work = watch(first);
    },
    async stop() {
      stopping.abort();
      if (child) await options.stop(child);
      await work;
      // A start that was under way may have brought another child up meanwhile.
      if (child?.alive()) await options.stop(child);
      await work;
    },
  };
}
