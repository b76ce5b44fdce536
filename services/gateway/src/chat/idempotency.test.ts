import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { collectSse } from '@sidestage/testkit';
import { Redis } from 'ioredis';
import { type ChatStage, makeChatStage } from '../testing/chat-stage.js';
import { makeGate, sayWords } from '../testing/scripted-worker.js';

let stage: ChatStage;
beforeAll(async () => {
  stage = await makeChatStage({ REQUEST_TIMEOUT_MS: '4000' });
});
beforeEach(() => stage.use(sayWords('Hello from the stage')));
afterAll(() => stage.close());

describe('idempotency', () => {
  const withKey = (key: string, more: Record<string, string> = {}) => ({
    headers: { 'Idempotency-Key': key, ...more },
  });

  test('a repeated message gets the stored answer, from either gateway, quoted or bare, and makes one turn', async () => {
    const fan = await stage.fan();
    const before = (await stage.turns()).length;
    const first = await stage.chat(fan, {}, withKey('"k-1"'));
    const second = await stage.chat(fan, {}, { ...withKey('k-1'), at: stage.other });
    expect(second.status).toBe(200);
    expect(second.body).toEqual(first.body);
    expect(second.headers.get('ratelimit')).toMatch(/r=49/);
    expect(await stage.turns()).toHaveLength(before + 1);
    const other = await stage.chat(fan, { message: 'another' }, withKey('k-1'));
    expect(other.status).toBe(422);
    expect(other.body.code).toBe('idempotency_mismatch');
    expect((await stage.chat(await stage.fan(), {}, withKey('k-1'))).body.message_id).not.toBe(first.body.message_id);
  });

  test('while it runs: 409 with Location, and a stream attaches to the running turn', async () => {
    const gate = makeGate();
    stage.use(async (_turn, say) => {
      await say({ type: 'delta', text: 'once' });
      await gate.opened;
      return 'once';
    });
    const fan = await stage.fan();
    const accepted = await stage.chat(fan, {}, withKey('k-2', { Prefer: 'respond-async' }));
    const busy = await stage.chat(fan, {}, withKey('k-2'));
    expect(busy.status).toBe(409);
    expect(busy.body.code).toBe('idempotency_in_progress');
    expect(busy.headers.get('location')).toBe(accepted.headers.get('location'));
    const attached = await stage.stream(fan, {}, withKey('k-2'));
    gate.open();
    const events = await collectSse(attached);
    expect(events.at(-1)?.data).toMatchObject({ type: 'completed', message_id: accepted.body.message_id });
    expect(events.filter((event) => event.event === 'delta')).toHaveLength(1);
  });

  test('fifty at once make one turn', async () => {
    const fan = await stage.key('enterprise');
    const before = (await stage.turns()).length;
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        stage.chat(fan, {}, { ...withKey('k-3', { Prefer: 'respond-async' }), at: n % 2 ? stage.url : stage.other }),
      ),
    );
    expect(await stage.turns()).toHaveLength(before + 1);
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(1);
    expect(answers.every(({ status }) => [200, 202, 409].includes(status))).toBe(true);
  });

  test('works from Postgres alone when Redis has forgotten the key', async () => {
    const fan = await stage.fan();
    const first = await stage.chat(fan, {}, withKey('k-4'));
    const client = new Redis(stage.gateway.redis.url);
    await client.del(...(await client.keys('sidestage:*idempotency*')));
    client.disconnect();
    const second = await stage.chat(fan, {}, withKey('k-4'));
    expect(second.body).toEqual(first.body);
    // Looking it up took nothing from the quota.
    expect(second.headers.get('ratelimit')).toMatch(/r=49/);
  });

  test('a refusal is not stored', async () => {
    const fan = await stage.fan();
    expect((await stage.chat(fan, { creator_id: 'nobody' }, withKey('k-5'))).status).toBe(404);
    expect((await stage.chat(fan, {}, withKey('k-5'))).status).toBe(200);
  });
});
