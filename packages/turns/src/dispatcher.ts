import { type ChatJob, queues } from '@sidestage/contracts';
import { closeRedis, type Logger, makeRedis } from '@sidestage/runtime';
import type { OfferedTurn } from '@sidestage/store';
import { Queue } from 'bullmq';
import { queuePrefix } from './keys.js';
import type { Dispatcher } from './ports.js';

/** Longest time an offer may take: a request waits behind it. */
const offerMs = 300;
/** Failed jobs that stay visible to operators. */
const keptFailures = 1_000;

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
  const { name, attempts, backoffMs } = queues.chat;
  const redis = makeRedis(redisUrl, 'request', logger);
  redis.defineCommand('sidestageMakeRoom', { numberOfKeys: 3, lua: makeRoomLua });
  const makeRoom = (Reflect.get(redis, 'sidestageMakeRoom') as MakeRoom).bind(redis);
  const key = (type: string) => `${queuePrefix}:${name}:${type}`;
  let queue: Promise<Queue<ChatJob>> | undefined;

  // BullMQ asks the server for its version once; a Queue whose question was not answered is broken for ever. So it is made when Redis is
  // there, and made again when that failed.
  function readyQueue(): Promise<Queue<ChatJob>> {
    if (redis.status !== 'ready') return Promise.reject(new Error('redis is not reachable'));
    queue ??= (async () => {
      const made = new Queue<ChatJob>(name, {
        connection: redis,
        prefix: queuePrefix,
        defaultJobOptions: {
          attempts,
          backoff: { type: 'exponential', delay: backoffMs.first, jitter: backoffMs.jitter },
          removeOnComplete: true,
          removeOnFail: { count: keptFailures },
        },
      });
      made.on('error', (error) => logger.debug({ err: error }, 'chat queue'));
      try {
        await made.waitUntilReady();
        return made;
      } catch (error) {
        queue = undefined;
        throw error;
      }
    })();
    return queue;
  }

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
      let timer: NodeJS.Timeout | undefined;
      try {
        const late = new Promise<never>((_, reject) => {
          timer = setTimeout(() => reject(new Error(`no answer within ${offerMs} ms`)), offerMs);
        });
        await Promise.race([add(turn), late]);
        return true;
      } catch (error) {
        logger.warn({ err: error, turn_id: turn.turn_id }, 'turn not offered, the sweeper will offer it');
        return false;
      } finally {
        clearTimeout(timer);
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
