import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type ModelServer, startGeminiServer, waitFor } from '@sidestage/testkit';
import { makeWorkerWorld, shownText, type WorkerWorld } from './test-support/worker-world.js';

describe('a worker with a Gemini model', () => {
  let world: WorkerWorld;
  let gemini: ModelServer;
  const reply = 'Sleep is when memories settle [1]. Rest is part of training [2].';

  beforeAll(async () => {
    world = await makeWorkerWorld();
    gemini = await startGeminiServer();
    gemini.behave({ reply });
    await world.startWorker({
      MODEL_LADDER: 'gemini',
      GOOGLE_API_KEY: 'test',
      GOOGLE_BASE_URL: gemini.url,
    });
  });
  afterAll(async () => {
    await world.close();
    await gemini.close();
  });

  test('streams a reply in numbered events, stores it once, and the last event says what is stored', async () => {
    const turn = await world.send('How does sleep help memory?');
    const events = await turn.ended();
    expect(events.map((event) => event.seq)).toEqual(events.map((_, index) => index + 1));
    expect(events[0]?.type).toBe('queued');
    expect(events[1]).toMatchObject({ type: 'started', attempt: 1, sources: 48 });
    const completed = events.at(-1);
    expect(completed).toMatchObject({ type: 'completed', status: 'completed', finish_reason: 'stop' });
    const row = await world.row(turn.turnId);
    expect(row.reply_text).toBe('Sleep is when memories settle. Rest is part of training.');
    expect(shownText(events)).toBe(row.reply_text);
    expect(row).toMatchObject({ state: 'done', outcome: 'completed', epoch: 1, grounded: true, crashes: 0 });
    await waitFor(async () => (await world.row(turn.turnId)).announced, { what: 'the announcement to be marked' });
  });

  test('cites the second the quoted words are said, and an article by its own address', async () => {
    const events = await (await world.send('Tell me about memory')).ended();
    const citations = events.filter((event) => event.type === 'citation');
    expect(citations).toMatchObject([
      { source_id: 'video-1', start_seconds: 10, end_seconds: 18, index: 1, quote: 'Sleep is when memories settle.' },
      { source_id: 'article-1', url: 'https://example.com/rest', start_seconds: null, index: 2 },
    ]);
  });

  test('gives the model both questions of a conversation, and carries the request id to retrieval', async () => {
    const first = await world.send('Why do naps matter?');
    await first.ended();
    const second = await world.send('And how long should they be?', { conversationId: first.conversationId });
    await second.ended();
    const asked = JSON.stringify(gemini.requests.at(-1)?.body);
    expect(asked).toContain('Why do naps matter?');
    expect(asked).toContain('And how long should they be?');
    expect(world.retrieval.searches.at(-1)?.headers).toMatchObject({
      'x-request-id': `request-${second.turnId}`,
      authorization: 'Bearer test-token',
    });
  });

  test('asks retrieval once for a hot question, and again as soon as the creator’s sources have changed', async () => {
    const asked = () => world.retrieval.searches.length;
    await (await world.send('What settles memories?')).ended();
    const before = asked();
    await waitFor(async () => (await world.redis.keys('*:context:*')).length > 0);
    for (const message of ['What settles memories?', 'what settles  memories']) {
      const events = await (await world.send(message)).ended();
      expect(events.at(-1)).toMatchObject({ type: 'completed', reply: { grounded: true } });
      expect(events.find((event) => event.type === 'started')).toMatchObject({ sources: 48 });
    }
    expect(asked()).toBe(before);
    await world.testDatabase.query('UPDATE creators SET knowledge_version = knowledge_version + 1');
    await (await world.send('What settles memories?')).ended();
    expect(asked()).toBe(before + 1);
  });

  test.each([
    ['words alone', { index: 'full_text' as const }],
    ['a part of the sources', { complete: false as const }],
  ])('keeps nothing of a search of %s: the next one may find better', async (what, answer) => {
    world.retrieval.behave({ answer });
    const before = world.retrieval.searches.length;
    for (let asked = 0; asked < 2; asked += 1) await (await world.send(`What of ${what}?`)).ended();
    world.retrieval.behave({});
    expect(world.retrieval.searches.length).toBe(before + 2);
  });

  test('answers without grounding while retrieval is down, also what it has found before', async () => {
    const kept = async () => (await world.redis.keys('*:context:*')).length;
    const before = await kept();
    // The same reply is grounded where there are passages to cite.
    const grounded = await (await world.send('Anything on dreams?')).ended();
    expect(grounded.at(-1)).toMatchObject({ type: 'completed', reply: { grounded: true } });
    await waitFor(async () => (await kept()) > before);
    world.retrieval.behave({ status: 503 });
    for (const message of ['Anything on dreams?', 'Anything on nightmares?']) {
      const events = await (await world.send(message)).ended();
      expect(events.at(-1)).toMatchObject({ type: 'completed', reply: { grounded: false, citations: [] } });
    }
    world.retrieval.behave({});
  });
});
