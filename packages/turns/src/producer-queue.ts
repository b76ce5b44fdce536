import type { Logger } from '@sidestage/runtime';
import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { queuePrefix } from './keys.js';

/** Failed jobs that stay visible to operators. */
const keptFailures = 1_000;
/** Longest time that putting a job in may take: a request waits behind it. Milliseconds. */
const offerMs = 300;

export interface ProducerQueueOptions {
  /** Of the job catalogue. */
  queue: { name: string; attempts: number; backoffMs: { first: number; jitter: number } };
  /** A connection that fails fast. */
  redis: Redis;
  logger: Logger;
}

/**
 * Gives the side of a BullMQ queue that puts jobs in; rejects while Redis is away. BullMQ asks the server for its version once, and a Queue whose
 * question was not answered is broken for ever: so it is made when Redis is there, and made again when that failed.
 */
export function makeProducerQueue<Job>({ queue, redis, logger }: ProducerQueueOptions): () => Promise<Queue<Job>> {
  const { name, attempts, backoffMs } = queue;
  let ready: Promise<Queue<Job>> | undefined;

  async function make(): Promise<Queue<Job>> {
    const made = new Queue<Job>(name, {
      connection: redis,
      prefix: queuePrefix,
      defaultJobOptions: {
        attempts,
        backoff: { type: 'exponential', delay: backoffMs.first, jitter: backoffMs.jitter },
        removeOnComplete: true,
        removeOnFail: { count: keptFailures },
      },
    });
    made.on('error', (error) => logger.debug({ err: error, queue: name }, 'queue'));
    try {
      await made.waitUntilReady();
      return made;
    } catch (error) {
      ready = undefined;
      throw error;
    }
  }

  return () => {
    if (redis.status !== 'ready') return Promise.reject(new Error('redis is not reachable'));
    ready ??= make();
    return ready;
  };
}

/** Rejects where `offer` takes longer than a request may wait; what it does later is not waited for. */
export async function offeredInTime(offer: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${offerMs} ms`)), offerMs);
  });
  try {
    await Promise.race([offer, late]);
  } finally {
    clearTimeout(timer);
    offer.catch(() => undefined);
  }
}
