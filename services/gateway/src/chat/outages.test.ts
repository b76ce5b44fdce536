import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { collectSse, waitFor } from '@sidestage/testkit';
import { type ChatStage, makeChatStage } from '../testing/chat-stage.js';

let stage: ChatStage;
beforeEach(async () => {
  stage = await makeChatStage({ REQUEST_TIMEOUT_MS: '3000' });
});
afterEach(() => stage.close());

/** Ends a turn as a worker does that has lost Redis. */
async function settleByHand(messageId: string): Promise<void> {
  await stage.gateway.database.query(
    `UPDATE turns SET state = 'done', outcome = 'completed', ended_at = now(), reply_text = 'kept', citations = '[]', grounded = true,
       finish_reason = 'stop', model = 'test', epoch = epoch + 1 WHERE id = $1`,
    [messageId],
  );
}

describe.each(['killed', 'frozen'])('with Redis %s', (how) => {
  beforeEach(async () => {
    if (how === 'killed') await stage.gateway.redis.kill();
    else stage.gateway.redis.freeze();
  });
  afterEach(() => {
    if (how === 'frozen') stage.gateway.redis.resume();
  });

  test('a turn is accepted into Postgres without a position, its stream stays open and tells the stored reply', async () => {
    const key = await stage.key('enterprise');
    const accepted = await stage.chat(key, { message: 'async' }, { headers: { Prefer: 'respond-async' } });
    expect(accepted.status).toBe(202);
    expect(accepted.body).toMatchObject({ status: 'queued', position: null, eta_ms: null });
    expect(accepted.headers.get('ratelimit')).toBeTruthy();

    const response = await stage.stream(key, { message: 'streamed' });
    expect(response.status).toBe(200);
    const events = collectSse(response);
    const turn = await waitFor(async () => (await stage.turns()).find(({ message }) => message === 'streamed'));
    await settleByHand(turn.id);
    const all = await events;
    expect(all[0]).toMatchObject({ event: 'queued', id: '0', data: { position: null } });
    expect(all.slice(1).map((event) => event.event)).toEqual(['reset', 'delta', 'completed']);
    expect(all[1]?.data).toMatchObject({ recovered: false });
    expect(all.at(-1)?.data).toMatchObject({ reply: { text: 'kept' } });
    const numbers = all.map((event) => Number(event.id));
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    const done = await fetch(`${stage.url}/api/v1/messages/${turn.id}/events`, {
      headers: { Authorization: `Bearer ${key.token}`, 'Last-Event-ID': String(numbers.at(-1)) },
    });
    expect(done.status).toBe(204);
  });

  test('its tier’s limits hold in this process', async () => {
    const fan = await stage.key('free');
    const later = { headers: { Prefer: 'respond-async' } };
    const answers = [];
    for (let turn = 0; turn < 4; turn++) answers.push(await stage.chat(fan, {}, later));
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 429, 429]);
  });
});

describe('with Postgres away', () => {
  test('nothing is accepted: 503 with Retry-After, the quota untouched', async () => {
    const fan = await stage.fan();
    expect((await stage.chat(fan, {})).status).toBe(200);
    const { database } = stage.gateway;
    await database.query(`ALTER DATABASE ${database.name} CONNECTION LIMIT 0`);
    await database.cutConnections();
    const refused = await stage.chat(fan, { message: 'never kept' });
    expect(refused.status).toBe(503);
    expect(refused.body.code).toBe('unavailable');
    expect(refused.headers.get('retry-after')).toMatch(/^[1-9]/);
    await database.query(`ALTER DATABASE ${database.name} CONNECTION LIMIT -1`);
    const after = await waitFor(async () => {
      const answer = await stage.chat(fan, {});
      return answer.status === 200 && answer;
    });
    expect(after.headers.get('ratelimit')).toMatch(/^"hour";r=48;/);
    expect((await stage.turns()).map(({ message }) => message)).not.toContain('never kept');
  });
});
