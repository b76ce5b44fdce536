import type { Redis } from 'ioredis';
import { rateMemoryMs } from './waiting-line.js';

/** How long an idempotency key is kept, ms: 24 hours. */
export const idempotencyTtlMs = 24 * 3600_000;
/** A line this long whose first has waited this long is a backlog: how fast it drains then decides who may join. Milliseconds. */
const backlog = { from: 100, waitedMs: 30_000 };
/** Charges are kept as long as the longest window they could be given back to, ms. */
const chargeTtlMs = 3600_000;

/**
 * Takes a fixed window (hash {start, used, given_back}, begun by the first accepted turn, gone at its end): how much is used and how long it
 * lasts. `given_back` counts what cancelled turns gave back after a worker had begun them: at most what the tier grants in the window.
 * Time is the server's, so that all gateways agree.
 */
const helpersLua = `
local function nowMs()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
local function window(key, lengthMs)
  local used = tonumber(redis.call('HGET', key, 'used')) or 0
  local left = redis.call('PTTL', key)
  if left < 0 then return 0, lengthMs end
  return used, left
end
local function giveBack(key, start, most)
  if not start or redis.call('HGET', key, 'start') ~= start then return 0 end
  if most then
    if (tonumber(redis.call('HGET', key, 'given_back')) or 0) >= most then return 0 end
    redis.call('HINCRBY', key, 'given_back', 1)
  end
  if redis.call('HINCRBY', key, 'used', -1) < 0 then redis.call('HSET', key, 'used', 0) end
  return 1
end
`;

/**
 * Admission, atomically: idempotency, hour and minute windows, in-flight leases, the tenant's bucket, and a place in the waiting line.
 * A refusal takes nothing.
 *
 * KEYS  hour, minute, in-flight, tenant bucket, waiting line, drain rate, charge, idempotency
 * ARGV  turn id, per hour, per minute, in flight, lease end ms, bucket per minute, bucket burst, has an idempotency key (1 or 0)
 *
 * → {'repeated', turn id}
 * → {'admitted' | 'refused', hour used, hour left ms, minute used, minute left ms, in flight, bucket wait ms, position, starts, busy ms,
 *    backlog wait ms: until a turn that joins the line would begin before its lease ends}
 */
const admitLua = `${helpersLua}
if ARGV[8] == '1' then
  local earlier = redis.call('GET', KEYS[8])
  if earlier then return {'repeated', earlier} end
end
local now, leaseEnd = nowMs(), tonumber(ARGV[5])
local perHour, perMinute, cap = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local hourUsed, hourLeft = window(KEYS[1], 3600000)
local minuteUsed, minuteLeft = window(KEYS[2], 60000)
local inFlight = redis.call('ZCOUNT', KEYS[3], '(' .. string.format('%.0f', now), '+inf')

local refill, burst = tonumber(ARGV[6]) / 60000, tonumber(ARGV[7])
local bucket = redis.call('HMGET', KEYS[4], 'tokens', 'at')
local tokens = burst
if bucket[1] then tokens = math.min(burst, tonumber(bucket[1]) + math.max(0, now - tonumber(bucket[2])) * refill) end
local bucketWait = 0
if tokens < 1 then bucketWait = math.ceil((1 - tokens) / refill) end

local rate = redis.call('HMGET', KEYS[6], 'starts', 'busy_ms', 'at')
-- Who is still in the line past the longest life of a turn was forgotten there.
local life = math.max(0, leaseEnd - now)
local line, backlogWait = redis.call('ZCOUNT', KEYS[5], now - life, '+inf'), 0
if line >= ${backlog.from} and rate[1] then
  local first = redis.call('ZRANGEBYSCORE', KEYS[5], now - life, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  if now - tonumber(first[2]) >= ${backlog.waitedMs} then
    local passed = math.max(0, now - tonumber(rate[3]))
    local fade = math.exp(-passed / ${rateMemoryMs})
    local perStart = (tonumber(rate[2]) * fade + passed) / math.max(tonumber(rate[1]) * fade, 0.001)
    backlogWait = math.max(0, math.ceil((line + 1) * perStart - life))
  end
end
if hourUsed >= perHour or minuteUsed >= perMinute or inFlight >= cap or bucketWait > 0 or backlogWait > 0 then
  return {'refused', hourUsed, hourLeft, minuteUsed, minuteLeft, inFlight, bucketWait, 0, rate[1] or '', rate[2] or '', backlogWait}
end

-- The first write is one that a full Redis refuses, so that it refuses the whole.
if hourUsed == 0 and redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1], 'start', now)
  redis.call('PEXPIRE', KEYS[1], 3600000)
end
if minuteUsed == 0 and redis.call('EXISTS', KEYS[2]) == 0 then
  redis.call('HSET', KEYS[2], 'start', now)
  redis.call('PEXPIRE', KEYS[2], 60000)
end
redis.call('HINCRBY', KEYS[1], 'used', 1)
redis.call('HINCRBY', KEYS[2], 'used', 1)
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now)
redis.call('ZADD', KEYS[3], leaseEnd, ARGV[1])
local lastEnd = tonumber(redis.call('ZREVRANGE', KEYS[3], 0, 0, 'WITHSCORES')[2])
redis.call('PEXPIRE', KEYS[3], math.max(1, lastEnd - now))
redis.call('HSET', KEYS[4], 'tokens', tostring(tokens - 1), 'at', now)
redis.call('PEXPIRE', KEYS[4], math.ceil(burst / refill) + 1000)
redis.call('HSET', KEYS[7], 'hour', redis.call('HGET', KEYS[1], 'start'), 'minute', redis.call('HGET', KEYS[2], 'start'),
  'per_hour', perHour, 'per_minute', perMinute)
redis.call('PEXPIRE', KEYS[7], ${chargeTtlMs})
if ARGV[8] == '1' then redis.call('SET', KEYS[8], ARGV[1], 'PX', ${idempotencyTtlMs}) end
-- Positions heal by themselves.
redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', now - life)
redis.call('ZADD', KEYS[5], now, ARGV[1])
local position = redis.call('ZRANK', KEYS[5], ARGV[1]) + 1
return {'admitted', hourUsed + 1, hourLeft, minuteUsed + 1, minuteLeft, inFlight + 1, 0, position, rate[1] or '', rate[2] or '', 0}
`;

/**
 * The end of a turn's lease; with a refund also what it was charged, to the windows it was charged to. `bounded` gives to a window only
 * while that has been given back less than the limit it was charged under.
 *
 * KEYS  hour, minute, in-flight, tenant bucket, waiting line, charge
 * ARGV  turn id, refund (all, bounded or none)
 */
const endLua = `${helpersLua}
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('ZREM', KEYS[5], ARGV[1])
if ARGV[2] ~= 'none' then
  local charge = redis.call('HMGET', KEYS[6], 'hour', 'minute', 'per_hour', 'per_minute')
  if charge[1] then
    local bounded = ARGV[2] == 'bounded'
    local given = giveBack(KEYS[1], charge[1], bounded and (tonumber(charge[3]) or 0))
      + giveBack(KEYS[2], charge[2], bounded and (tonumber(charge[4]) or 0))
    local tokens = redis.call('HGET', KEYS[4], 'tokens')
    if tokens and (given > 0 or not bounded) then redis.call('HSET', KEYS[4], 'tokens', tostring(tonumber(tokens) + 1)) end
  end
end
redis.call('DEL', KEYS[6])
return 1
`;

/** KEYS idempotency · ARGV turn id: forgets the key where it still names this turn. */
const forgetLua = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`;

/** KEYS hour, minute → {hour used, hour left ms, minute used, minute left ms} */
const peekLua = `${helpersLua}
local hourUsed, hourLeft = window(KEYS[1], 3600000)
local minuteUsed, minuteLeft = window(KEYS[2], 60000)
return {hourUsed, hourLeft, minuteUsed, minuteLeft}
`;

type Argument = string | number;
export type AdmitAnswer =
  | ['repeated', string]
  | ['admitted' | 'refused', number, number, number, number, number, number, number, string, string, number];

/** The scripts as commands of one connection: EVALSHA, and EVAL where the server has forgotten them. */
export interface AdmissionScripts {
  sidestageAdmit(...args: Argument[]): Promise<AdmitAnswer>;
  sidestageEndTurn(...args: Argument[]): Promise<number>;
  sidestageForgetKey(...args: Argument[]): Promise<number>;
  sidestagePeek(...args: Argument[]): Promise<[number, number, number, number]>;
}

export function admissionScripts(redis: Redis): Redis & AdmissionScripts {
  if (!('sidestageAdmit' in redis)) {
    redis.defineCommand('sidestageAdmit', { numberOfKeys: 8, lua: admitLua });
    redis.defineCommand('sidestageEndTurn', { numberOfKeys: 6, lua: endLua });
    redis.defineCommand('sidestageForgetKey', { numberOfKeys: 1, lua: forgetLua });
    redis.defineCommand('sidestagePeek', { numberOfKeys: 2, lua: peekLua });
  }
  return redis as Redis & AdmissionScripts;
}
