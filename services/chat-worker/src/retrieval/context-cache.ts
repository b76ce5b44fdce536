import { retrievalSearchAnswer } from '@sidestage/contracts';
import type { Logger } from '@sidestage/runtime';
import { keys } from '@sidestage/turns';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import type { Found } from './retrieval-client.js';

const storedContext = z.object({
  passages: retrievalSearchAnswer.shape.passages,
  sources: z.number().int(),
  watching: z.string().nullable().default(null),
}) satisfies z.ZodType<Found>;

/** What a context may weigh, and how many are kept in all: Redis evicts nothing, so the cache must never be what fills it. */
const mostBytes = 64 * 1024;
const defaultMost = 4_000;

export interface ContextCacheOptions {
  /** A request connection: an absent or frozen Redis costs its command timeout at most. */
  redis: Redis;
  ttlMs: number;
  /** Entries of the whole fleet; the one that ends first goes. */
  most?: number;
  logger: Logger;
}

/** Passages found for questions, in Redis. Trouble there reads as nothing found and keeps nothing; it never rejects. */
export function makeContextCache({ redis, ttlMs, most = defaultMost, logger }: ContextCacheOptions) {
  async function bound(): Promise<void> {
    const over = (await redis.zcard(keys.contexts())) - most;
    if (over <= 0) return;
    const popped = await redis.zpopmin(keys.contexts(), over);
    const oldest = popped.filter((_, at) => at % 2 === 0);
    if (oldest.length > 0) await redis.unlink(oldest);
  }

  return {
    async get(key: string): Promise<Found | null> {
      try {
        const stored = await redis.get(key);
        return stored === null ? null : (storedContext.safeParse(JSON.parse(stored)).data ?? null);
      } catch (error) {
        logger.debug({ err: error }, 'context cache not read');
        return null;
      }
    },
    async put(key: string, found: Found): Promise<void> {
      const stored = JSON.stringify({ passages: found.passages, sources: found.sources, watching: found.watching });
      if (Buffer.byteLength(stored) > mostBytes) return;
      const now = Date.now();
      try {
        await redis
          .pipeline()
          .set(key, stored, 'PX', ttlMs)
          .zadd(keys.contexts(), now + ttlMs, key)
          .zremrangebyscore(keys.contexts(), '-inf', now)
          .pexpire(keys.contexts(), ttlMs)
          .exec();
        await bound();
      } catch (error) {
        logger.debug({ err: error }, 'context cache not written');
      }
    },
  };
}
export type ContextCache = ReturnType<typeof makeContextCache>;
