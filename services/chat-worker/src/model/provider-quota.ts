import type { ModelProvider } from '@sidestage/models';
import type { Logger } from '@sidestage/runtime';
import { makeId } from '@sidestage/runtime';
import { keys } from '@sidestage/turns';
import type { Redis } from 'ioredis';

const windowMs = 60_000;

/**
 * Takes one request of a provider's minute, or tells how long to wait. Every request of the last minute is in the set, so no minute,
 * wherever it begins, has more than the limit.
 *
 * KEYS minute, parked-until · ARGV limit (0: none), member → milliseconds to wait; 0 when it was taken
 */
const takeLua = `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local parked = tonumber(redis.call('GET', KEYS[2]) or '0')
if parked > now then return parked - now end
local limit = tonumber(ARGV[1])
if limit == 0 then return 0 end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ${windowMs})
if redis.call('ZCARD', KEYS[1]) >= limit then
  local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  return math.max(1, tonumber(oldest[2]) + ${windowMs} - now)
end
redis.call('ZADD', KEYS[1], now, ARGV[2])
redis.call('PEXPIRE', KEYS[1], ${windowMs})
return 0
`;
/** A provider that asked for silence gets it from all workers; the longest wish holds. KEYS parked-until · ARGV milliseconds */
const parkLua = `
local time = redis.call('TIME')
local till = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(ARGV[1])
if till > tonumber(redis.call('GET', KEYS[1]) or '0') then redis.call('SET', KEYS[1], string.format('%.0f', till), 'PX', ARGV[1]) end
`;

type Take = (minute: string, parked: string, limit: number, member: string) => Promise<number>;
type Park = (parked: string, ms: number) => Promise<unknown>;

/** What all workers together may ask of a provider. Fails open: a turn that runs while Redis is away is one of few. */
export function makeProviderQuota(options: {
  redis: Redis;
  limits: Partial<Record<ModelProvider, number>>;
  logger: Logger;
}) {
  const { redis, limits, logger } = options;
  if (!('sidestageTakeRequest' in redis)) {
    redis.defineCommand('sidestageTakeRequest', { numberOfKeys: 2, lua: takeLua });
    redis.defineCommand('sidestageParkProvider', { numberOfKeys: 1, lua: parkLua });
  }
  const take = (Reflect.get(redis, 'sidestageTakeRequest') as Take).bind(redis);
  const park = (Reflect.get(redis, 'sidestageParkProvider') as Park).bind(redis);

  return {
    /** Milliseconds to wait before the provider may be asked; 0: ask now, it is counted. */
    async take(provider: ModelProvider): Promise<number> {
      // Our own answerer has no owner to be polite to.
      if (provider === 'builtin' && limits.builtin === undefined) return 0;
      try {
        return await take(
          keys.providerMinute(provider),
          keys.providerParked(provider),
          limits[provider] ?? 0,
          makeId(),
        );
      } catch (error) {
        logger.debug({ err: error, provider }, 'provider quota not known');
        return 0;
      }
    },
    /** The provider said 429: nobody asks it for `ms`. */
    async park(provider: ModelProvider, ms: number): Promise<void> {
      await park(keys.providerParked(provider), Math.max(1, Math.ceil(ms))).catch((error: unknown) => {
        logger.debug({ err: error, provider }, 'provider not parked');
      });
    },
  };
}
export type ProviderQuota = ReturnType<typeof makeProviderQuota>;
