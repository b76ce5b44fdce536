import type { Logger, Redis } from '@sidestage/runtime';
import { keys } from '@sidestage/turns';

const windowMs = 60_000;
/** Counters kept in this process while Redis is down; the oldest go first. */
const maxLocalCounters = 50_000;

export interface WindowState {
  allowed: boolean;
  limit: number;
  remaining: number;
  resetSeconds: number;
}

/** Requests of one minute by someone, counted for the whole fleet. */
export interface FixedWindows {
  /** Counts one request of `who`. While Redis is down this process counts alone, against its share of the limit. */
  hit(scope: string, who: string, limit: number): Promise<WindowState>;
  /** The count so far, without adding to it. */
  peek(scope: string, who: string, limit: number): Promise<WindowState>;
  /** Takes one request back. */
  giveBack(scope: string, who: string): Promise<void>;
}

interface LocalCounter {
  window: number;
  count: number;
}

/** KEYS[1] counter · ARGV[1] what is added, ARGV[2] lifetime in ms. */
const countScript = `
local count = redis.call('INCRBY', KEYS[1], ARGV[1])
if count == tonumber(ARGV[1]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return count`;

/** Fixed windows of a minute in Redis. Falls open to a limiter of this process, said once an outage by the connection itself. */
export function makeFixedWindows(options: { redis: Redis; gateways: number; logger: Logger }): FixedWindows {
  const { redis } = options;
  const local = new Map<string, LocalCounter>();

  function countLocally(key: string, window: number, add: number): number {
    const known = local.get(key);
    const counter = known?.window === window ? known : { window, count: 0 };
    counter.count = Math.max(0, counter.count + add);
    local.delete(key);
    local.set(key, counter);
    if (local.size > maxLocalCounters) {
      const oldest = local.keys().next().value;
      if (oldest !== undefined) local.delete(oldest);
    }
    return counter.count;
  }

  async function count(scope: string, who: string, limit: number, add: number): Promise<WindowState> {
    const now = Date.now();
    const window = Math.floor(now / windowMs);
    const resetSeconds = Math.max(1, Math.ceil(((window + 1) * windowMs - now) / 1000));
    const key = `${keys.requestRate(scope, who)}:${window}`;
    const state = (used: number, most: number): WindowState => ({
      allowed: used <= most,
      limit,
      remaining: Math.max(0, most - used),
      resetSeconds,
    });
    try {
      const used = Number(await redis.eval(countScript, 1, key, add, windowMs + 5_000));
      return state(used, limit);
    } catch (error) {
      options.logger.debug({ err: error, scope }, 'counting requests in this process only');
      return state(countLocally(key, window, add), Math.max(1, Math.ceil(limit / options.gateways)));
    }
  }

  return {
    hit: (scope, who, limit) => count(scope, who, limit, 1),
    peek: (scope, who, limit) => count(scope, who, limit, 0),
    giveBack: async (scope, who) => {
      await count(scope, who, 1, -1);
    },
  };
}
