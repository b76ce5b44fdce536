import { type ChatJob, queues } from '@sidestage/contracts';
import { closeRedis, type Logger, makeRedis } from '@sidestage/runtime';
import type { OfferedTurn } from '@sidestage/store';
import { queuePrefix } from './keys.js';
import type { Dispatcher } from './ports.js';
import { makeProducerQueue, offeredInTime } from './producer-queue.js';

/**
 * Where a finished job of the same id lingers, BullMQ's `add` would quietly do nothing: it makes room first.
 * KEYS completed, failed, job · ARGV job id
 */
const makeRoomLua = `
if redis.call('ZREM', KEYS[1], ARGV[1]) + redis.call('ZREM', KEYS[2], ARGV[1]) > 0 then redis.call('DEL', KEYS[3]) end
`;

type MakeRoom = (completed: string, failed: string, job: string, id: string) => Promise<unknown>;

/** Dispatch through the BullMQ queue `chat`. Its connection fails fast, so a frozen Redis costs a request 300 ms and no more. */
export function makeDispatcher({ redisUrl, logger }: { redisUrl: string; logger: Logger }): Dispatcher {
  const { name } = queues.chat;
  const redis = makeRedis(redisUrl, 'request', logger);
  redis.defineCommand('sidestageMakeRoom', { numberOfKeys: 3, lua: makeRoomLua });
  const makeRoom = (Reflect.get(redis, 'sidestageMakeRoom') as MakeRoom).bind(redis);
  const key = (type: string) => `${queuePrefix}:${name}:${type}`;
  const readyQueue = makeProducerQueue<ChatJob>({ queue: queues.chat, redis, logger });

  async function add(turn: OfferedTurn): Promise<void> {
    const jobs = await readyQueue();
    const job: ChatJob = {
      v: 1,
      tenant_id: turn.tenant_id,
      turn_id: turn.turn_id,
      ...(turn.request_id && { request_id: turn.request_id }),
      ...(turn.traceparent && { traceparent: turn.traceparent }),
    };
    await Promise.all([
      makeRoom(key('completed'), key('failed'), key(turn.turn_id), turn.turn_id),
      jobs.add(name, job, { jobId: turn.turn_id }),
    ]);
  }

  return {
    async offer(turn) {
      try {
        await offeredInTime(add(turn));
        return true;
      } catch (error) {
        logger.warn({ err: error, turn_id: turn.turn_id }, 'turn not offered, the sweeper will offer it');
        return false;
      }
    },

    async jobStates(turnIds) {
      const jobs = await readyQueue();
      const states = await Promise.all(
        turnIds.map(async (id): Promise<[string, 'missing' | 'queued' | 'running']> => {
          const [state, locked] = await Promise.all([jobs.getJobState(id), redis.exists(`${key(id)}:lock`)]);
          if (state === 'completed' || state === 'failed' || state === 'unknown') return [id, 'missing'];
          // Active without a lock: its worker is gone, and BullMQ's stalled check puts it back.
          return [id, state === 'active' && locked === 1 ? 'running' : 'queued'];
        }),
      );
      return new Map(states);
    },

    async depth() {
      const jobs = await readyQueue();
      const counts = await jobs.getJobCounts('waiting', 'delayed', 'prioritized', 'active');
      const [oldest] = await jobs.getJobs(['waiting'], 0, 0, true);
      return {
        waiting: (counts.waiting ?? 0) + (counts.delayed ?? 0) + (counts.prioritized ?? 0),
        delayed: counts.delayed ?? 0,
        running: counts.active ?? 0,
        oldest_seconds: oldest ? Math.max(0, Math.round((Date.now() - oldest.timestamp) / 1000)) : null,
      };
    },

    async close() {
      await closeRedis(redis);
    },
  };
}
