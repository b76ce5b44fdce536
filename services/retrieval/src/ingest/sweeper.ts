import { type Logger, sleep } from '@sidestage/runtime';
import type { IngestionRepository } from '@sidestage/store';
import type { IngestQueue } from './ingest-queue.js';

export interface SweeperOptions {
  repository: Pick<IngestionRepository, 'unfinished'>;
  queue: Pick<IngestQueue, 'offer'>;
  /** Between two looks. */
  everyMs: number;
  /** A source without a sign of life for this long is offered again. */
  olderThanMs: number;
  logger: Logger;
}

const atOnce = 200;

/** Sources whose job is gone (Redis wiped, offer lost, service killed) are put back into the queue, from Postgres. */
export function runSweeper(options: SweeperOptions): { close(): Promise<void> } {
  const stopping = new AbortController();
  const loop = (async () => {
    while (!stopping.signal.aborted) {
      try {
        const sources = await options.repository.unfinished(options.olderThanMs, atOnce);
        for (const source of sources) await untilStopped(options.queue.offer(source), stopping.signal);
        if (sources.length > 0) options.logger.info({ sources: sources.length }, 'unfinished sources offered again');
      } catch (error) {
        if (!stopping.signal.aborted) options.logger.warn({ err: error }, 'the sweep for unfinished sources failed');
      }
      await sleep(options.everyMs, stopping.signal).catch(() => undefined);
    }
  })();
  return {
    async close() {
      stopping.abort();
      await loop;
    },
  };
}

/** An offer waits while Redis is away; a shutdown does not wait for it. */
async function untilStopped(work: Promise<void>, signal: AbortSignal): Promise<void> {
  let stop: (() => void) | undefined;
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    await Promise.race([work, stopped]);
  } finally {
    if (stop) signal.removeEventListener('abort', stop);
  }
}
