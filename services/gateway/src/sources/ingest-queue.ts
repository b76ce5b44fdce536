import { type IngestJob, queues } from '@sidestage/contracts';
import { closeRedis, type Logger, makeRedis } from '@sidestage/runtime';
import { makeProducerQueue, offeredInTime } from '@sidestage/turns';

/** Puts sources into the queue `ingest`. The row in Postgres is the truth: what is not taken here, the retrieval service's sweeper finds. */
export interface IngestQueue {
  offer(source: { tenant_id: string; source_id: string; content_version: number; request_id: string }): Promise<void>;
  close(): Promise<void>;
}

export function makeIngestQueue({ redisUrl, logger }: { redisUrl: string; logger: Logger }): IngestQueue {
  const redis = makeRedis(redisUrl, 'request', logger);
  const readyQueue = makeProducerQueue<IngestJob>({ queue: queues.ingest, redis, logger });
  return {
    async offer(source) {
      const job: IngestJob = { v: 1, ...source };
      const jobId = `${source.source_id}-${source.content_version}`;
      try {
        await offeredInTime(readyQueue().then((jobs) => jobs.add(queues.ingest.name, job, { jobId })));
      } catch (error) {
        logger.warn({ err: error, source_id: source.source_id }, 'source not offered, the sweeper will find it');
      }
    },
    close: () => closeRedis(redis),
  };
}
