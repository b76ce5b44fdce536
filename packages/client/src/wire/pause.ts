import type { Listeners } from './listeners.js';

export interface PauseEnds {
  signal: AbortSignal;
  /** The wait is of no more use once this settles. */
  until?: Promise<unknown>;
  /** Somebody wants it to go on now. */
  hurry?: Listeners<[]>;
}

/** Resolves after `ms`, or as soon as one of its ends comes. Nothing is left behind on those that live longer. */
export function pause(ms: number, { signal, until, hurry }: PauseEnds): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      stopListening?.();
      resolve();
    };
    const stopListening = hurry?.add(() => done());
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
    until?.then(done, done);
    if (signal.aborted) done();
  });
}
