import { type ChatJob, queues } from '@sidestage/contracts';
import { closeRedis, type Logger, makeRedis } from '@sidestage/runtime';
import { queuePrefix } from '@sidestage/turns';
import { DelayedError, type Job, UnrecoverableError, WaitingError } from 'bullmq';
import type { RunningJobs } from '../runs/running-jobs.js';
import type { TurnRunner } from '../runs/turn-runner.js';
import { type DeathWatchOptions, makeDeathWatch } from './death-watch.js';
import { SparingWorker } from './sparing-worker.js';

export interface ChatConsumerOptions {
  redisUrl: string;
  concurrency: number;
  /** Whether one more turn could begin at once, beside so many that are fetched. */
  hasRoom: (onTheirWay: number) => boolean;
  run: TurnRunner;
  running: RunningJobs;
  /** See DeathWatchOptions. */
  onDeath: DeathWatchOptions['onDeath'];
  logger: Logger;
}

/** Redis that is away is asked again after this, also for handing a job back. Milliseconds. */
const retryMs = 500;
const closeMs = 2_000;
/**
 * How long an idle worker waits for word of a new job before it looks by itself, seconds. BullMQ's word goes to one worker only: where that one dies
 * before it has fetched the job, the others come upon it no sooner. BullMQ waits 5 s by default.
 */
const idleWaitSeconds = 0.5;
/** How often a job that cannot be read is looked at before it is given up, and the pause between. Milliseconds. */
const unreadableLooks = 20;
const unreadableMs = 500;

/** Takes jobs of the queue `chat` and hands each to the runner: a thin adapter, nothing behind it knows BullMQ. */
export function makeChatConsumer({
  redisUrl,
  concurrency,
  hasRoom,
  run,
  running,
  onDeath,
  logger,
}: ChatConsumerOptions) {
  const { name, payload, lockMs, stalledCheckMs, maxStalledCount } = queues.chat;
  const redis = makeRedis(redisUrl, 'worker', logger);
  let fetchedAt = performance.now();
  let draining = false;

  async function handle(job: Job<ChatJob>, token = ''): Promise<void> {
    fetchedAt = performance.now();
    if (draining) return giveBack(job, token);
    const parsed = payload.safeParse(job.data);
    if (!parsed.success) return leaveToOthers(job, token, parsed.error.message);
    const held = running.begin(job.id ?? parsed.data.turn_id);
    try {
      const outcome = await run(parsed.data, held);
      if (outcome.kind === 'delayed') {
        await job.moveToDelayed(Date.now() + outcome.delayMs, token);
        throw new DelayedError();
      }
      if (outcome.kind === 'returned') return await giveBack(job, token);
    } finally {
      running.end(held);
    }
  }

  /**
   * During a rollout a newer gateway may put in what only a newer worker can read: it stays in the queue for one. Where none comes the job
   * fails, and the sweeper offers the turn anew as this version writes it.
   */
  async function leaveToOthers(job: Job<ChatJob>, token: string, why: string): Promise<never> {
    if (job.attemptsStarted >= unreadableLooks) throw new UnrecoverableError(`unreadable payload: ${why}`);
    await job.moveToDelayed(Date.now() + unreadableMs, token);
    throw new DelayedError();
  }

  /** Back to the line's head. Where Redis is away or the lock is lost the stalled check of another worker does it. */
  async function giveBack(job: Job<ChatJob>, token: string): Promise<never> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, retryMs);
    });
    await Promise.race([job.moveToWait(token).catch(() => undefined), late]);
    clearTimeout(timer);
    throw new WaitingError();
  }

  const worker = new SparingWorker<ChatJob>(name, handle, {
    connection: redis,
    prefix: queuePrefix,
    concurrency,
    hasRoom,
    lockDuration: lockMs,
    stalledInterval: stalledCheckMs,
    maxStalledCount,
    drainDelay: idleWaitSeconds,
    runRetryDelay: retryMs,
  });
  const deathWatch = makeDeathWatch({
    redisUrl,
    workerId: worker.id,
    queueKey: `${queuePrefix}:${name}`,
    onDeath,
    logger,
  });
  worker.on('error', (error) => logger.debug({ err: error }, 'chat worker'));
  worker.on('failed', (job, error) => logger.warn({ err: error, turn_id: job?.id }, 'job failed'));
  worker.on('stalled', (jobId) => logger.warn({ turn_id: jobId }, 'job of a worker that is gone, put back'));
  worker.on('locksRenewed', ({ jobIds }) => running.renewed(jobIds));
  worker.on('lockRenewalFailed', (jobIds) => running.lost(jobIds));

  return {
    /** Milliseconds since a job was last fetched. */
    get idleMs() {
      return performance.now() - fetchedAt;
    },
    /** Takes no more jobs. */
    async stopFetching(): Promise<void> {
      draining = true;
      await worker.pause(true);
    },
    async close(): Promise<void> {
      // BullMQ's close waits for ever where Redis is away.
      await Promise.race([
        worker.close(true).catch(() => undefined),
        new Promise((resolve) => setTimeout(resolve, closeMs).unref()),
      ]);
      await Promise.all([deathWatch.close(), closeRedis(redis)]);
    },
  };
}
export type ChatConsumer = ReturnType<typeof makeChatConsumer>;
