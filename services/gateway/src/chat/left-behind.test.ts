import { afterEach, expect, test } from '@jest/globals';
import { openSocket, waitFor } from '@sidestage/testkit';
import { Redis } from 'ioredis';
import { type ChatStage, makeChatStage } from '../testing/chat-stage.js';
import { makeGate } from '../testing/scripted-worker.js';

/** One of each, however many turns there were. */
const lasting = /:(rebuilt|drain-rate|waiting|workers|contexts)$/;

let stage: ChatStage;
afterEach(() => stage.close());

test('clients who leave in the middle of a reply leave nothing behind: no follower, no subscription, no key without an end', async () => {
  stage = await makeChatStage();
  const redis = new Redis(stage.gateway.redis.url);
  try {
    const [gate, key] = [makeGate(), await stage.key('enterprise')];
    stage.use(async (_turn, say) => {
      await say({ type: 'delta', text: 'Hello ' });
      await gate.opened;
      return 'Hello ';
    });
    const channels = async () => (await redis.pubsub('CHANNELS', 'sidestage:*')).length;
    const endless = async () => {
      const keys = await redis.keys('sidestage:*');
      const ends = await Promise.all(keys.map((name) => redis.pttl(name)));
      return keys.filter((name, index) => ends[index] === -1 && !name.startsWith('sidestage:bull:'));
    };
    const before = await channels();
    const leaving = new AbortController();
    for (let index = 0; index < 4; index++) {
      const stream = await stage.stream(key, {}, { signal: leaving.signal });
      stream.body
        ?.getReader()
        .read()
        .catch(() => undefined);
      void stage.chat(key, {}).catch(() => undefined);
      const socket = await openSocket(`${stage.url}/ws/new/phone`, { token: key.token });
      socket.send({ type: 'message', message: 'hello', creator_id: 'ada' });
      await socket.next('delta');
      leaving.signal.addEventListener('abort', () => socket.raw.terminate());
    }
    await waitFor(() => stage.worker.claimed.length === 12, { what: 'all to be answered' });
    expect(await channels()).toBe(before + 12 + 4);
    leaving.abort();
    // Those who wait for the whole reply are still there.
    await waitFor(async () => (await channels()) === before + 4, {
      what: 'the subscriptions of those who left to end',
    });
    gate.open();
    await waitFor(async () => (await channels()) === before, { what: 'every subscription to end' });
    const { body } = await stage.gateway.call<string>('GET', '/metrics');
    expect(body).toMatch(/^ai_chat_active_threads\S* 0$/m);
    expect(body).toMatch(/^ai_chat_ws_connections\S* 0$/m);
    await waitFor(async () => (await stage.turns()).every(({ state }) => state === 'done'), { what: 'all to end' });
    expect((await endless()).filter((name) => !lasting.test(name))).toEqual([]);
  } finally {
    redis.disconnect();
  }
}, 60_000);
