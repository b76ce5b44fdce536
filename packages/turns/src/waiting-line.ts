import type { Redis } from 'ioredis';
import { keys } from './keys.js';
import type { WaitingLine } from './ports.js';

/** Older starts count e times less after this. Milliseconds. */
export const rateMemoryMs = 15_000;
const rateTtlMs = 10 * 60_000;

/**
 * Takes turns out of the line and learns how fast it drains. Only time in which somebody waited counts: an idle hour says nothing about
 * how fast a backlog shrinks. Both the starts and the busy time fade, so the rate is that of the last seconds.
 *
 * KEYS waiting line, drain rate · ARGV turn id...
 */
const leaveLua = `
local left = 0
for i = 1, #ARGV do left = left + redis.call('ZREM', KEYS[1], ARGV[i]) end
if left == 0 then return 0 end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + tonumber(time[2]) / 1000
local known = redis.call('HMGET', KEYS[2], 'at', 'starts', 'busy_ms', 'waiting')
local starts, busy = tonumber(known[2]) or 0, tonumber(known[3]) or 0
if known[1] and tonumber(known[4]) > 0 then
  local passed = math.max(0, now - tonumber(known[1]))
  local fade = math.exp(-passed / ${rateMemoryMs})
  starts = starts * fade + left
  busy = busy * fade + passed
end
redis.call('HSET', KEYS[2], 'at', string.format('%.3f', now), 'starts', tostring(starts), 'busy_ms', tostring(busy),
  'waiting', redis.call('ZCARD', KEYS[1]))
redis.call('PEXPIRE', KEYS[2], ${rateTtlMs})
return left
`;

type Place = { position: number; eta_ms: number | null };
type LeaveCommand = (line: string, rate: string, ...turnIds: string[]) => Promise<number>;
const commandName = 'sidestageLeaveLine';

/**
 * Milliseconds until a turn at `position` begins, from the fields of keys.drainRate(): `starts` turns began in `busy_ms` with a backlog.
 * Null while nothing is known.
 */
export function etaMs(position: number, starts: string | null, busyMs: string | null): number | null {
  const perMs = Number(starts) / Number(busyMs);
  return Number.isFinite(perMs) && perMs > 0 ? Math.round(position / perMs) : null;
}

/** The waiting line in Redis. Admission puts turns in, workers take them out. `redis` is a request connection; unreachable means null. */
export function makeWaitingLine({ redis }: { redis: Redis }): WaitingLine {
  if (!(commandName in redis)) redis.defineCommand(commandName, { numberOfKeys: 2, lua: leaveLua });
  const leave = (Reflect.get(redis, commandName) as LeaveCommand).bind(redis);

  async function places(turnIds: string[]): Promise<Map<string, Place>> {
    const found = new Map<string, Place>();
    if (turnIds.length === 0) return found;
    try {
      const [rate, ...ranks] = await Promise.all([
        redis.hmget(keys.drainRate(), 'starts', 'busy_ms'),
        ...turnIds.map((turnId) => redis.zrank(keys.waitingLine(), turnId)),
      ]);
      for (const [index, turnId] of turnIds.entries()) {
        const rank = ranks[index];
        if (typeof rank !== 'number') continue;
        found.set(turnId, { position: rank + 1, eta_ms: etaMs(rank + 1, rate[0] ?? null, rate[1] ?? null) });
      }
    } catch {
      return new Map();
    }
    return found;
  }

  return {
    places,
    place: async (turnId) => (await places([turnId])).get(turnId) ?? null,
    async leave(turnIds) {
      if (turnIds.length === 0) return;
      // A position is a hint: while Redis is away nobody sees one, and the sweeper fills the line again.
      await leave(keys.waitingLine(), keys.drainRate(), ...turnIds).catch(() => undefined);
    },
  };
}
