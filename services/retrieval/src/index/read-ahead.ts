import { type Logger, sleep } from '@sidestage/runtime';
import type { ActiveCreator, PassageRepository } from '@sidestage/store';
import type { EmbeddedIndex } from './embedded-index.js';

export interface ReadAheadOptions {
  passages: Pick<PassageRepository, 'creatorsByActivity'>;
  index: Pick<EmbeddedIndex, 'readAhead'>;
  logger: Logger;
}

/** Most creators that are looked at. */
const mostCreators = 2_000;
const pauseMs = 1_000;
const tries = 5;

/** After a start, takes the creators fans spoke to last into memory, as many as there is room for, while searches go first. */
export function runReadAhead(options: ReadAheadOptions): { close(): Promise<void> } {
  const stopping = new AbortController();
  const reading = readAll(options, stopping.signal).catch((error: unknown) => {
    if (!stopping.signal.aborted)
      options.logger.warn({ err: error }, 'reading ahead stopped: what is missing is read when it is asked for');
  });
  return {
    async close() {
      stopping.abort();
      await reading;
    },
  };
}

async function readAll({ passages, index, logger }: ReadAheadOptions, signal: AbortSignal): Promise<void> {
  const startedAt = performance.now();
  const creators = await patiently(() => passages.creatorsByActivity(mostCreators), signal);
  let read = 0;
  for (const creator of creators) {
    signal.throwIfAborted();
    if (!(await patiently(() => index.readAhead(withActivity(creator)), signal))) break;
    read += 1;
  }
  if (creators.length > 0)
    logger.info(
      { creators: read, of: creators.length, took_ms: Math.round(performance.now() - startedAt) },
      'read ahead',
    );
}

function withActivity({ active_at: activeAt, ...creator }: ActiveCreator) {
  return { ...creator, activeAt };
}

/** Postgres may be busy or away for a moment. */
async function patiently<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt >= tries || signal.aborted) throw error;
      await sleep(pauseMs * attempt, signal);
    }
  }
}
