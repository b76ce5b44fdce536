import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { closeRedis, makeLogger, makeRedis, type Redis } from '@sidestage/runtime';
import { waitFor } from '@sidestage/testkit';
import { keys } from '@sidestage/turns';
import { type ChatStage, makeChatStage } from '../testing/chat-stage.js';
import { makeGate } from '../testing/scripted-worker.js';

let stage: ChatStage;
let redis: Redis;
beforeEach(async () => {
  stage = await makeChatStage();
  redis = makeRedis(stage.gateway.redis.url, 'worker', makeLogger({ service: 'test', level: 'FATAL' }));
});
afterEach(async () => {
  await closeRedis(redis);
  await stage.close();
});
const later = { headers: { Prefer: 'respond-async' } };

describe('Redis full', () => {
  test('with noeviction: 503 for new turns, nothing of them kept; what was accepted before is answered', async () => {
    const key = await stage.key('premium');
    const gate = makeGate();
    stage.use(async () => {
      await gate.opened;
      return 'kept';
    });
    const accepted = await stage.chat(key, { message: 'before' }, later);
    expect(accepted.status).toBe(202);
    await waitFor(() => stage.worker.claimed.length === 1);
    await redis.config('SET', 'maxmemory', '1');
    const refused = await stage.chat(key, { message: 'while full' }, later);
    expect(refused.status).toBe(503);
    expect(refused.body).toMatchObject({ code: 'overloaded', 'violated-policies': ['queue_memory'] });
    expect(refused.headers.get('retry-after')).toMatch(/^[1-9]/);
    expect((await stage.turns()).map(({ message }) => message)).toEqual(['before']);
    await redis.config('SET', 'maxmemory', '0');
    gate.open();
    await waitFor(
      async () =>
        (await stage.gateway.call('GET', `${accepted.headers.get('location')}`, key)).body.status === 'completed',
      { what: 'the turn accepted before' },
    );
    expect((await stage.chat(key, {})).status).toBe(200);
  });
});

describe('Redis that cannot write its file', () => {
  test('answers MISCONF to every write: turns are accepted into Postgres without a position, and said so', async () => {
    const key = await stage.key('enterprise');
    // The same refusal as for a failing append-only file: its snapshot has no folder to go to.
    await redis.config('SET', 'save', '3600 1');
    await redis.config('SET', 'stop-writes-on-bgsave-error', 'yes');
    await redis.set('something', 'to save');
    await breakSnapshots(redis);
    await expect(redis.set('any', 'write')).rejects.toThrow('MISCONF');
    const accepted = await stage.chat(key, { message: 'kept all the same' }, later);
    expect(accepted.status).toBe(202);
    expect(accepted.body).toMatchObject({ status: 'queued', position: null });
    expect(await stage.turns()).toMatchObject([{ message: 'kept all the same', state: 'offered' }]);
    await redis.config('SET', 'stop-writes-on-bgsave-error', 'no');
    await waitFor(async () => (await stage.chat(key, {}, later)).body.position !== null, {
      what: 'Redis to admit again',
    });
  });
});

/** Makes the next snapshot fail: its folder is gone. */
async function breakSnapshots(on: Redis): Promise<void> {
  const [, folder = ''] = (await on.config('GET', 'dir')) as string[];
  rmSync(folder, { recursive: true, force: true });
  await on.bgsave();
  await waitFor(async () => (await on.info('persistence')).includes('rdb_last_bgsave_status:err'), {
    what: 'a snapshot to fail',
  });
}

describe('a backlog beyond the deadline', () => {
  test('503 with Retry-After from the rate the line drains; nothing is kept', async () => {
    const now = Date.now();
    const line = Array.from({ length: 3_000 }, (_, index) => [now - 40_000 + index, `waiting-${index}`]);
    await redis.zadd(keys.waitingLine(), ...line.flat());
    await redis.hset(keys.drainRate(), { at: now, starts: 100, busy_ms: 10_000, waiting: line.length });
    const key = await stage.key('enterprise');
    const refused = await stage.chat(key, { message: 'too late already' });
    expect(refused.status).toBe(503);
    expect(refused.body).toMatchObject({ code: 'overloaded', 'violated-policies': ['backlog'] });
    // 3,000 at ten a second and a deadline of 180 s: it is short enough in a minute and more, and nobody is sent away for longer.
    expect(refused.headers.get('retry-after')).toBe('60');
    expect(await stage.turns()).toEqual([]);
    await redis.del(keys.waitingLine());
    expect((await stage.chat(key, {})).status).toBe(200);
  });
});
