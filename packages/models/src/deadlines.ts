import type { ModelFinishReason, ModelProvider, ModelUsage } from './chat-model.js';
import { ModelError } from './model-error.js';

/** Milliseconds we wait for a provider. Only time spent waiting for it counts, never the time our own caller takes with a piece. */
export interface ModelDeadlines {
  /** From the call to the first words. */
  firstTokenMs: number;
  /** Between words. Chunks without words do not count as progress. */
  gapMs: number;
  /** The whole reply. */
  totalMs: number;
}

export const defaultDeadlines: ModelDeadlines = { firstTokenMs: 10_000, gapMs: 8_000, totalMs: 120_000 };

/** The reply is whole once its finish reason is here; what follows is only the count of tokens, which is not worth a long wait. */
const trailerMs = 2_000;

/** One chunk of a provider, in our words. */
export interface ProviderChunk {
  text: string;
  finish: ModelFinishReason | null;
  usage: ModelUsage | null;
}

export interface ProviderCall {
  provider: ModelProvider;
  /** Begins the request; must give up when its signal aborts. */
  open: (signal: AbortSignal) => Promise<AsyncIterator<ProviderChunk>>;
  /** Names an error of the SDK. */
  toModelError: (error: unknown) => ModelError;
}

/**
 * Runs a streaming call under our own deadlines and our own AbortController. Yields chunks up to the end of the stream; throws ModelError.
 * An error after the finish reason ends the stream quietly: the reply is complete.
 */
export async function* streamWithin(
  call: ProviderCall,
  deadlines: ModelDeadlines,
  signal: AbortSignal,
): AsyncGenerator<ProviderChunk> {
  const wait = makePatience(call.provider, deadlines, signal);
  const controller = new AbortController();
  let iterator: AsyncIterator<ProviderChunk> | undefined;
  let finished = false;
  try {
    iterator = await wait.during(call.open(controller.signal), 'first words');
    for (;;) {
      const step = await wait.during(iterator.next(), finished ? 'token count' : undefined);
      if (step.done) return;
      if (!finished && step.value.finish !== null) {
        finished = true;
        wait.refill(Math.min(trailerMs, deadlines.gapMs));
      } else if (!finished && step.value.text !== '') {
        wait.refill(deadlines.gapMs);
      }
      yield step.value;
    }
  } catch (error) {
    const named = error instanceof ModelError ? error : call.toModelError(error);
    if (!finished || named.kind === 'aborted') throw named;
  } finally {
    controller.abort();
    wait.end();
    iterator?.return?.().catch(() => {});
  }
}

interface Patience {
  /** Settles as `work` does, or rejects when patience ends or the caller aborts, whatever `work` does then. */
  during<T>(work: Promise<T>, awaited?: string): Promise<T>;
  /** Progress was made: the next piece may take this long. */
  refill(ms: number): void;
  end(): void;
}

function makePatience(provider: ModelProvider, deadlines: ModelDeadlines, signal: AbortSignal): Patience {
  const endsAt = performance.now() + deadlines.totalMs;
  let leftMs = deadlines.firstTokenMs;
  let awaitedLast = 'first words';
  let interrupt: (error: ModelError) => void = () => {};
  const onAbort = () => interrupt(new ModelError('aborted', provider, 'the caller cancelled the reply'));
  signal.addEventListener('abort', onAbort);

  async function during<T>(work: Promise<T>, awaited?: string): Promise<T> {
    work.catch(() => {});
    if (awaited) awaitedLast = awaited;
    const since = performance.now();
    const totalLeftMs = endsAt - since;
    const limitMs = Math.max(0, Math.min(leftMs, totalLeftMs));
    let timer: NodeJS.Timeout | undefined;
    const interrupted = new Promise<never>((_, reject) => {
      interrupt = reject;
      const what = totalLeftMs <= leftMs ? 'end of the reply' : awaitedLast;
      timer = setTimeout(() => {
        reject(new ModelError('timeout', provider, `waited ${Math.round(limitMs)} ms for the ${what}`));
      }, limitMs);
      if (signal.aborted) onAbort();
    });
    try {
      return await Promise.race([work, interrupted]);
    } finally {
      clearTimeout(timer);
      leftMs -= performance.now() - since;
    }
  }

  return {
    during,
    refill: (ms) => {
      leftMs = ms;
      awaitedLast = 'next words';
    },
    end: () => signal.removeEventListener('abort', onAbort),
  };
}
