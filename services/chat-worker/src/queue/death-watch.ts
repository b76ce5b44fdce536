import { closeRedis, type Logger, makeRedis } from '@sidestage/runtime';
import { keys } from '@sidestage/turns';
import { z } from 'zod';

export interface DeathWatchOptions {
  redisUrl: string;
  /** BullMQ's id of this worker: the tokens of its jobs' locks begin with it. */
  workerId: string;
  /** The queue's keys without their last part, `<prefix>:<queue>`. */
  queueKey: string;
  /** Told of a dead worker and its jobs before they go back in the line: what it notes, their next run can read. */
  onDeath: (workerId: string, jobIds: string[]) => Promise<void>;
  logger: Logger;
  lookMs?: number;
}

/** Looks that must miss a worker before it counts as dead: one alone may fall between two connections of a living one. */
const missesOfDeath = 2;
/** After Redis was away everybody gets so many looks' time to be back. */
const looksToSettle = 6;
const connectionName = (workerId: string) => `sidestage-worker:${workerId}`;

/** KEYS active · ARGV queue key, worker id · gives the ids of the jobs whose locks the worker holds */
const heldLua = `
local held = {}
for _, id in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
  local token = redis.call('GET', ARGV[1] .. ':' .. id .. ':lock')
  if token and string.sub(token, 1, #ARGV[2] + 1) == ARGV[2] .. ':' then held[#held + 1] = id end
end
return held
`;

/**
 * Takes the locks off the jobs of a dead worker and marks them for BullMQ's next stalled check, which puts them back in the line; the check may
 * come at once, not an interval after the last one. KEYS active, stalled, stalled-check · ARGV queue key, worker id · gives the number of jobs
 */
const releaseLua = `
local released = 0
for _, id in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
  local lock = ARGV[1] .. ':' .. id .. ':lock'
  local token = redis.call('GET', lock)
  if token and string.sub(token, 1, #ARGV[2] + 1) == ARGV[2] .. ':' then
    redis.call('DEL', lock)
    redis.call('SADD', KEYS[2], id)
    released = released + 1
  end
end
if released > 0 then redis.call('DEL', KEYS[3]) end
return released
`;

/** Notes how often a worker was missed, unless it said farewell meanwhile. KEYS workers · ARGV worker id, misses */
const noteLua = `if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end`;

/**
 * Notices workers that died by what the kernel does first when a process ends: it closes its connections. Every worker holds one that
 * carries its name, and twice a second one worker looks which names are gone. So a killed worker's turns begin again after 1 to 2 s, where
 * waiting for its locks to run out takes 5 to 6. A worker that is cut off without its connection being closed is left to the locks; one that
 * is wrongly taken for dead loses its locks and stops itself, and the fence in Postgres refuses what it still writes.
 */
export function makeDeathWatch(options: DeathWatchOptions) {
  const { redisUrl, workerId, queueKey, onDeath, logger, lookMs = 500 } = options;
  const redis = makeRedis(redisUrl, 'request', logger);
  const settleMs = looksToSettle * lookMs;
  /** No look before this (monotonic ms): whoever lost Redis has to assume that the others did too. */
  let quietUntil = 0;
  let named = false;
  let refused = false;

  /** The name first: a known worker whose connection has none looks dead. */
  async function register(): Promise<void> {
    await redis.client('SETNAME', connectionName(workerId));
    await redis.hset(keys.workers(), workerId, 0);
    named = true;
  }
  redis.on('close', () => {
    named = false;
    quietUntil = performance.now() + settleMs;
  });

  async function bury(gone: string): Promise<void> {
    const held = await redis.eval(heldLua, 1, `${queueKey}:active`, queueKey, gone);
    await onDeath(gone, z.array(z.string()).parse(held)).catch((error: unknown) => {
      logger.warn({ err: error, worker: gone }, 'the death of a worker is not on record');
    });
    const lists = ['active', 'stalled', 'stalled-check'].map((part) => `${queueKey}:${part}`);
    const jobs = await redis.eval(releaseLua, lists.length, ...lists, queueKey, gone);
    await redis.hdel(keys.workers(), gone);
    logger.warn({ worker: gone, jobs }, 'a worker is gone, its jobs go back in the line');
  }

  /** A worker that starts beside a Redis that was just restarted has seen no outage. */
  async function serverUpMs(): Promise<number> {
    return Number((await redis.info('server')).match(/uptime_in_seconds:(\d+)/)?.[1] ?? 0) * 1_000;
  }

  async function look(): Promise<void> {
    if (refused || redis.status !== 'ready') return;
    if (!named) await register();
    if (performance.now() < quietUntil) return;
    // A wiped Redis has forgotten everybody.
    await redis.hsetnx(keys.workers(), workerId, 0);
    if ((await redis.set(keys.workerWatch(), workerId, 'PX', Math.ceil(lookMs * 0.9), 'NX')) === null) return;
    const [known, clients] = await Promise.all([redis.hgetall(keys.workers()), redis.client('LIST')]);
    const names = new Set(String(clients).match(/(?<= name=)\S+/g));
    for (const [id, misses] of Object.entries(known)) {
      const missed = names.has(connectionName(id)) ? 0 : Number(misses) + 1;
      if (missed >= missesOfDeath && (await serverUpMs()) > settleMs) await bury(id);
      else if (missed !== Number(misses)) await redis.eval(noteLua, 1, keys.workers(), id, missed);
    }
  }

  async function tryLook(): Promise<void> {
    try {
      await look();
    } catch (error) {
      refused = error instanceof Error && /NOPERM|unknown command/.test(error.message);
      if (refused) logger.warn({ err: error }, 'this Redis shows no clients: dead workers are noticed by their locks');
      else logger.debug({ err: error }, 'no look at the workers, tried again');
    }
  }
  let looking: Promise<void> | null = null;
  function lookOnce(): void {
    looking ??= tryLook().finally(() => {
      looking = null;
    });
  }
  redis.on('ready', lookOnce);
  const timer = setInterval(lookOnce, lookMs);

  return {
    /** Says farewell: what this worker held is given back already. */
    async close(): Promise<void> {
      clearInterval(timer);
      redis.off('ready', lookOnce);
      await looking;
      await redis.hdel(keys.workers(), workerId).catch(() => undefined);
      await closeRedis(redis);
    },
  };
}
