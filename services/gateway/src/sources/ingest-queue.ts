import { type IngestJob, queues } from '@sidestage/contracts';
import { closeRedis, type Logger, makeRedis } from '@sidestage/runtime';
import { queuePrefix } from '@sidestage/turns';
import { Queue } from 'bullmq';

/** Longest wait for Redis: the upload's answer waits behind it. */
const offerMs = 300;
const keptFailures = 1_000;

/** Puts sources into the queue `ingest`. The row in Postgres is the truth: what is not taken here, the retrieval service's sweeper finds. */
export interface IngestQueue {
  offer(source: { tenant_id: string; source_id: string; content_version: number; request_id: string }): Promise<void>;
  close(): Promise<void>;
}

export function makeIngestQueue({ redisUrl, logger }: { redisUrl: string; logger: Logger }): IngestQueue {
  const { name, attempts, backoffMs } = queues.ingest;
  const redis = makeRedis(redisUrl, 'request', logger);
  let queue: Promise<Queue<IngestJob>> | undefined;

  // A Queue whose first question to the server was not answered is broken for ever: it is made when Redis is there, and again after a failure.
  function readyQueue(): Promise<Queue<IngestJob>> {
    if (redis.status !== 'ready') return Promise.reject(new Error('redis is not reachable'));
    queue ??= (async () => {
      const made = new Queue<IngestJob>(name, {
        connection: redis,
        prefix: queuePrefix,
        defaultJobOptions: {
          attempts,
          backoff: { type: 'exponential', delay: backoffMs.first, jitter: backoffMs.jitter },
          removeOnComplete: true,
          removeOnFail: { count: keptFailures },
        },
      });
      made.on('error', (error) => logger.debug({ err: error }, 'ingest queue'));
      try {
        await made.waitUntilReady();
        return made;
      } catch (error) {
        queue = undefined;
        throw error;
      }
    })();
    return queue;
  }

  return {
    async offer(source) {
      const job: IngestJob = { v: 1, ...source };
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`no answer within ${offerMs} ms`)), offerMs);
      });
      const jobId = `${source.source_id}-${source.content_version}`;
      const added = readyQueue().then((jobs) => jobs.add(name, job, { jobId }));
      try {
        await Promise.race([added, late]);
      } catch (error) {
        logger.warn({ err: error, source_id: source.source_id }, 'source not offered, the sweeper will find it');
      } finally {
        clearTimeout(timer);
        added.catch(() => undefined);
      }
    },
    close: () => closeRedis(redis),
  };
}
