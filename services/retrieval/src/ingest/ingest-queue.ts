import { type IngestJob, ingestJob, queues } from '@sidestage/contracts';
import { closeRedis, type Logger, type Metrics, makeRedis } from '@sidestage/runtime';
import type { IngestionRepository, SourceVersion } from '@sidestage/store';
import { queuePrefix } from '@sidestage/turns';
import { type Job, Queue, UnrecoverableError, Worker } from 'bullmq';
import { FetchFailedError } from '../fetch/fetch-source.js';
import type { IngestOutcome } from './ingest-source.js';

export interface IngestQueueOptions {
  redisUrl: string;
  /** Sources at once. */
  concurrency: number;
  repository: IngestionRepository;
  ingest: (source: SourceVersion, signal?: AbortSignal) => Promise<IngestOutcome>;
  logger: Logger;
  metrics: Metrics;
}

export interface IngestQueue {
  /** Offers a version of a source; twice does no harm. Waits while Redis is away. */
  offer(source: SourceVersion): Promise<void>;
  /** Writes ai_chat_queue_depth. Rejects when Redis is away. */
  measure(): Promise<void>;
  close(): Promise<void>;
}

const { name, attempts, backoffMs, lockMs, stalledCheckMs, maxStalledCount } = queues.ingest;
/** What the creator reads when a part of ours failed at every attempt. */
const gaveUp =
  'ingestion failed several times because a part of the service could not be reached: upload the source again';

/** The job id of a version of a source: offering it twice is one job. */
export function ingestJobId(source: SourceVersion): string {
  return `${source.source_id}-${source.content_version}`;
}

/** Takes sources from the BullMQ queue `ingest`. Only failures of our own parts are tried again. */
export function runIngestQueue(options: IngestQueueOptions): IngestQueue {
  const { logger } = options;
  const redis = makeRedis(options.redisUrl, 'worker', logger);
  const queue = new Queue<IngestJob>(name, { connection: redis, prefix: queuePrefix });
  queue.on('error', (error) => logger.debug({ err: error }, 'ingest queue'));
  const stopping = new AbortController();
  const worker = new Worker<IngestJob>(name, (job) => runJob(job, options, stopping.signal), {
    connection: redis,
    prefix: queuePrefix,
    concurrency: options.concurrency,
    lockDuration: lockMs,
    stalledInterval: stalledCheckMs,
    maxStalledCount,
  });
  worker.on('error', (error) => logger.debug({ err: error }, 'ingest worker'));
  worker.on('lockRenewalFailed', (ids) => logger.warn({ job_ids: ids }, 'the lock of an ingestion was lost'));

  return {
    async offer(source) {
      const jobId = ingestJobId(source);
      const known = await queue.getJob(jobId);
      // A finished job of this id would make `add` do nothing.
      if (known && ((await known.isCompleted()) || (await known.isFailed()))) await known.remove();
      await queue.add(
        name,
        { v: 1, tenant_id: source.tenant_id, source_id: source.source_id, content_version: source.content_version },
        {
          jobId,
          attempts,
          backoff: { type: 'exponential', delay: backoffMs.first, jitter: backoffMs.jitter },
          removeOnComplete: true,
          removeOnFail: { count: 1_000 },
        },
      );
    },
    async measure() {
      const counts = await queue.getJobCounts('waiting', 'active', 'delayed', 'failed');
      for (const [state, count] of Object.entries(counts))
        options.metrics.queueDepth.set({ queue: name, state }, count);
    },
    async close() {
      stopping.abort();
      await worker.close();
      await queue.close();
      await closeRedis(redis);
    },
  };
}

async function runJob(job: Job<IngestJob>, options: IngestQueueOptions, signal: AbortSignal): Promise<IngestOutcome> {
  const parsed = ingestJob.safeParse(job.data);
  if (!parsed.success) throw new UnrecoverableError(`the payload cannot be read: ${parsed.error.message}`);
  const { tenant_id, source_id, content_version, request_id } = parsed.data;
  const source = { tenant_id, source_id, content_version };
  const logger = options.logger.child({ request_id, source_id, job_id: job.id });
  const startedAt = performance.now();
  try {
    const outcome = await options.ingest(source, signal);
    logger.info({ outcome, took_ms: Math.round(performance.now() - startedAt) }, 'ingestion ended');
    return outcome;
  } catch (error) {
    const last = job.attemptsMade + 1 >= (job.opts.attempts ?? 1);
    logger.warn({ err: error, attempt: job.attemptsMade + 1, last }, 'ingestion could not go on');
    if (last && !signal.aborted)
      await options.repository.fail(
        source,
        error instanceof FetchFailedError ? `${error.message}, at every try` : gaveUp,
      );
    throw error;
  }
}
