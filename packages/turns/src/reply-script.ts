import type { Redis } from 'ioredis';

/** Longest the events of a generation stay after its last one; shorter once it has ended. Milliseconds. */
export const bufferTtlMs = 30 * 60_000;
export const endedBufferTtlMs = 15 * 60_000;
/** A reply has some hundred events; this only bounds a run that went wild. */
const maxEvents = 20_000;

/**
 * Appends a batch to a generation, atomically: refuses an old epoch and a sealed generation, numbers the events, keeps them in the stream
 * (entry id = `<seq>-0`) and publishes them.
 *
 * KEYS  state, stream
 * ARGV  channel, epoch, operation, seals (1 or 0), base (-1: where there is no buffer say so and write nothing), event JSON...
 *
 * → {1, seq} written · {1, seq} again for an operation that was written before (its answer was lost) · {0} refused · {2} there is no buffer.
 */
const appendLua = `
local stored = redis.call('HMGET', KEYS[1], 'epoch', 'seq', 'ended', 'operation')
local epoch, base = tonumber(ARGV[2]), tonumber(ARGV[5])
if stored[4] and stored[4] == ARGV[3] then return {1, tonumber(stored[2])} end
if stored[3] then return {0} end
local seq
if stored[1] then
  if epoch < tonumber(stored[1]) then return {0} end
  seq = tonumber(stored[2])
else
  if base < 0 then return {2} end
  redis.call('DEL', KEYS[2])
  seq = base
end
local batch = {}
for i = 6, #ARGV do
  seq = seq + 1
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ${maxEvents}, string.format('%.0f-0', seq), 'e', ARGV[i])
  batch[#batch + 1] = '{"seq":' .. string.format('%.0f', seq) .. ',' .. string.sub(ARGV[i], 2)
end
redis.call('HSET', KEYS[1], 'epoch', ARGV[2], 'seq', string.format('%.0f', seq), 'operation', ARGV[3])
local ttl = ${bufferTtlMs}
if ARGV[4] == '1' then
  redis.call('HSET', KEYS[1], 'ended', '1')
  ttl = ${endedBufferTtlMs}
end
redis.call('PEXPIRE', KEYS[1], ttl)
redis.call('PEXPIRE', KEYS[2], ttl)
redis.call('PUBLISH', ARGV[1], '[' .. table.concat(batch, ',') .. ']')
return {1, seq}
`;

export interface AppendArguments {
  stateKey: string;
  streamKey: string;
  channel: string;
  epoch: number;
  operation: string;
  seals: boolean;
  /** What the numbering starts above when there is no buffer; null: do not start one. */
  base: number | null;
  events: string[];
}

export type AppendAnswer = { kind: 'written'; seq: number } | { kind: 'refused' } | { kind: 'no_buffer' };

type Command = (...args: (string | number)[]) => Promise<[number, number?]>;
const commandName = 'sidestageAppendReply';

/** Gives `redis` the append script as a command of its own. */
export function makeAppendScript(redis: Redis): (args: AppendArguments) => Promise<AppendAnswer> {
  if (!(commandName in redis)) redis.defineCommand(commandName, { numberOfKeys: 2, lua: appendLua });
  const command = (Reflect.get(redis, commandName) as Command).bind(redis);
  return async ({ stateKey, streamKey, channel, epoch, operation, seals, base, events }) => {
    const [code, seq = 0] = await command(
      stateKey,
      streamKey,
      channel,
      epoch,
      operation,
      seals ? 1 : 0,
      base ?? -1,
      ...events,
    );
    if (code === 1) return { kind: 'written', seq };
    return code === 0 ? { kind: 'refused' } : { kind: 'no_buffer' };
  };
}
