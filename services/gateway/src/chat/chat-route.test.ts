import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { collectSse, readSse, waitFor } from '@sidestage/testkit';
import { type ChatStage, makeChatStage } from '../testing/chat-stage.js';
import { makeGate, sayWords } from '../testing/scripted-worker.js';

let stage: ChatStage;
beforeAll(async () => {
  stage = await makeChatStage({ REQUEST_TIMEOUT_MS: '4000' });
});
beforeEach(() => stage.use(sayWords('Hello from the stage')));
afterAll(() => stage.close());

describe('waiting for the reply', () => {
  test('answers with the whole reply, its limits and its place', async () => {
    const fan = await stage.fan();
    const answer = await stage.chat(fan, {});
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({
      status: 'completed',
      creator_id: stage.creatorId,
      reply: { text: 'Hello from the stage', citations: [], grounded: true },
      finish_reason: 'stop',
      usage: { input_tokens: 1, output_tokens: 2 },
    });
    expect(answer.body).not.toHaveProperty('type');
    expect(answer.body).not.toHaveProperty('seq');
    expect(answer.headers.get('ratelimit-policy')).toBe('"hour";q=50;w=3600, "minute";q=10;w=60');
    expect(answer.headers.get('ratelimit')).toMatch(/^"hour";r=49;t=3(600|5\d\d), "minute";r=9;t=(60|5\d)$/);
    expect(answer.headers.get('x-request-id')).toBeTruthy();
    expect(answer.headers.get('x-process-time')).toBeTruthy();
  });

  test('that outlasts the bound turns into a 202, and the reply is kept all the same', async () => {
    const gate = makeGate();
    stage.use(async () => {
      await gate.opened;
      return 'Late but kept';
    });
    const fan = await stage.fan();
    const answer = await stage.chat(fan, {});
    expect(answer.status).toBe(202);
    expect(answer.headers.get('location')).toBe(`/api/v1/messages/${answer.body.message_id}`);
    gate.open();
    const kept = await waitFor(async () => {
      const view = await stage.gateway.call('GET', String(answer.headers.get('location')), { token: fan.token });
      return view.body.status === 'completed' && view.body;
    });
    expect(kept).toMatchObject({ reply: { text: 'Late but kept' } });
  });
});

describe('streaming', () => {
  test('sends the events in order, numbered without a gap', async () => {
    const response = await stage.stream(await stage.fan(), {});
    expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
    expect(response.headers.get('cache-control')).toMatch(/no-store/);
    expect(response.headers.get('x-accel-buffering')).toBe('no');
    expect(response.headers.get('ratelimit')).toBeTruthy();
    const events = await collectSse(response);
    expect(events.map((event) => event.event)).toEqual([
      'queued',
      'started',
      'delta',
      'delta',
      'delta',
      'delta',
      'completed',
    ]);
    expect(events.map((event) => event.data.seq)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(events.every((event) => event.id === String(event.data.seq))).toBe(true);
    expect(events.at(-1)?.data).toMatchObject({ status: 'completed', reply: { text: 'Hello from the stage' } });
  });

  test('a client that leaves loses the stream and not the reply; the other gateway has the rest of it', async () => {
    const gate = makeGate();
    stage.use(async (_turn, say) => {
      await say({ type: 'delta', text: 'one ' });
      await gate.opened;
      await say({ type: 'delta', text: 'two' });
      return 'one two';
    });
    const fan = await stage.fan();
    const response = await stage.stream(fan, {});
    let last = { id: '', messageId: '' };
    for await (const event of readSse(response)) {
      last = { id: String(event.id), messageId: String(event.data.message_id) };
      if (event.event === 'delta') break;
    }
    gate.open();
    const resumed = await fetch(`${stage.other}/api/v1/messages/${last.messageId}/events`, {
      headers: { Authorization: `Bearer ${fan.token}`, 'Last-Event-ID': last.id },
    });
    const rest = await collectSse(resumed);
    expect(rest.map((event) => event.event)).toEqual(['delta', 'completed']);
    expect(Number(rest[0]?.id)).toBe(Number(last.id) + 1);

    const again = await fetch(
      `${stage.url}/api/v1/messages/${last.messageId}/events?last_event_id=${rest.at(-1)?.id}`,
      { headers: { Authorization: `Bearer ${fan.token}` } },
    );
    expect(again.status).toBe(204);
  });
});
