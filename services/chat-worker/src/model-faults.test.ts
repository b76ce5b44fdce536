import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type ModelServer, startGeminiServer, startOpenAiServer, waitFor } from '@sidestage/testkit';
import { keys } from '@sidestage/turns';
import { makeWorkerWorld, shownText, type WorkerWorld } from './test-support/worker-world.js';

const reply = 'Sleep is when memories settle [1]. Naps help too [1]. Rest is part of training [2].';
const clean = 'Sleep is when memories settle. Naps help too. Rest is part of training.';

describe('when the model fails', () => {
  let world: WorkerWorld;
  let gemini: ModelServer;

  let worker: { port: number; stop(): Promise<void> };

  beforeAll(async () => {
    world = await makeWorkerWorld();
    gemini = await startGeminiServer();
  });
  afterAll(async () => {
    await world.close();
    await gemini.close();
  });
  // A worker of its own for each: retries come out of a budget that so many faults in a row would use up.
  beforeEach(async () => {
    gemini.requests.length = 0;
    gemini.behave({ reply, tokenDelayMs: 5 });
    worker = await world.startWorker({
      MODEL_LADDER: 'gemini',
      GOOGLE_API_KEY: 'test',
      GOOGLE_BASE_URL: gemini.url,
      MODEL_FIRST_TOKEN_MS: '400',
      MODEL_GAP_MS: '300',
      BREAKER_ERROR_PERCENT: '100',
    });
  });
  afterEach(() => worker.stop());

  const faults = [
    ['stalls before the first word', { stallAfterWords: 0 }, false],
    ['never answers', { hang: true }, false],
    ['stalls in the stream', { reply, stallAfterWords: 6 }, true],
    ['cuts the stream', { reply, cut: { atByte: 900 } }, true],
    ['ends the stream without a finish reason', { reply, finish: 'missing' }, true],
    ['answers 500', { status: 500 }, false],
    ['answers 503', { status: 503 }, false],
    ['sends what is no JSON', { reply, malformedAfterWords: 5 }, true],
  ] as const;

  test.each(faults)('that %s, it is asked once more and the reply is whole', async (_, fault, shown) => {
    gemini.next({ ...fault, tokenDelayMs: 5 });
    const turn = await world.send('How does sleep help?');
    const events = await turn.ended();
    expect(events.at(-1)).toMatchObject({ type: 'completed', reply: { text: clean } });
    expect(shownText(events)).toBe(clean);
    expect(events.filter((event) => event.type === 'reset')).toHaveLength(shown ? 1 : 0);
    expect(events.map((event) => event.seq)).toEqual(events.map((_event, index) => index + 1));
    expect(gemini.requests).toHaveLength(2);
    expect(await world.row(turn.turnId)).toMatchObject({ epoch: 1, failures: 0, reply_text: clean });
  });

  test('the tokens it counts are counted by provider, model and direction', async () => {
    await (await world.send('How does sleep help?')).ended();
    const [row] = await world.testDatabase.query<{ input_tokens: number; output_tokens: number }>(
      'SELECT input_tokens, output_tokens FROM turns ORDER BY accepted_at DESC LIMIT 1',
    );
    const metrics = await (await fetch(`http://127.0.0.1:${worker.port}/metrics`)).text();
    const counted = (direction: string) =>
      Number(
        new RegExp(
          `^ai_chat_model_tokens_total\\{(?=[^}]*provider="gemini")(?=[^}]*model="[^"]+")[^}]*direction="${direction}"[^}]*\\} (\\d+)`,
          'm',
        ).exec(metrics)?.[1],
      );
    expect(row?.output_tokens).toBeGreaterThan(0);
    expect([counted('input'), counted('output')]).toEqual([row?.input_tokens, row?.output_tokens]);
  });

  test('a safety block of the prompt is a polite sentence that cites nothing', async () => {
    gemini.next({ block: 'prompt' });
    const turn = await world.send('Something dreadful');
    const events = await turn.ended();
    expect(events.at(-1)).toMatchObject({
      type: 'completed',
      finish_reason: 'blocked',
      reply: { grounded: false, citations: [] },
    });
    expect(shownText(events)).toBe((await world.row(turn.turnId)).reply_text);
    expect(shownText(events).length).toBeGreaterThan(20);
  });

  test('a block in the stream takes back what was shown', async () => {
    gemini.next({ reply, block: 'stream', blockAfterWords: 6, tokenDelayMs: 5 });
    const events = await (await world.send('Something dreadful')).ended();
    expect(events.filter((event) => event.type === 'reset')).toHaveLength(1);
    expect(events.at(-1)).toMatchObject({ type: 'completed', finish_reason: 'blocked', reply: { citations: [] } });
    expect(shownText(events)).not.toContain('memories');
  });

  test('a reply that ran out of length is a reply', async () => {
    gemini.next({ reply, finish: 'length' });
    const events = await (await world.send('Tell me all')).ended();
    expect(events.at(-1)).toMatchObject({ type: 'completed', finish_reason: 'length', reply: { text: clean } });
  });

  test('all tries failing ends in model_failed, after three attempts and no more', async () => {
    gemini.behave({ status: 500 });
    const turn = await world.send('Anyone there?');
    const events = await turn.ended(20_000);
    expect(events.at(-1)).toMatchObject({ type: 'failed', problem: { code: 'model_failed', status: 502 } });
    expect(await world.row(turn.turnId)).toMatchObject({ outcome: 'failed', failures: 2, epoch: 3 });
    expect(gemini.requests.length).toBeLessThanOrEqual(6);
  });
});

describe('a provider that asks for patience', () => {
  let world: WorkerWorld;
  let gemini: ModelServer;
  let openai: ModelServer;

  beforeAll(async () => {
    world = await makeWorkerWorld();
    gemini = await startGeminiServer();
    openai = await startOpenAiServer();
    gemini.behave({ reply });
    openai.behave({ reply });
  });
  afterAll(async () => {
    await world.close();
    await gemini.close();
    await openai.close();
  });
  beforeEach(async () => {
    gemini.requests.length = 0;
    openai.requests.length = 0;
    await world.redis.flushall();
  });

  test('is left alone by every worker until then, and the turn waits without a failure counted', async () => {
    const settings = { MODEL_LADDER: 'gemini', GOOGLE_API_KEY: 'test', GOOGLE_BASE_URL: gemini.url };
    const workers = [await world.startWorker(settings), await world.startWorker(settings)];
    gemini.next({ status: 429, retryAfterSeconds: 5 });
    const turns = [await world.send('one')];
    await waitFor(async () => (await world.redis.exists(keys.providerParked('gemini'))) === 1);
    turns.push(...(await Promise.all(['two', 'three', 'four'].map((message) => world.send(message)))));
    const parked = async () =>
      (await Promise.all(turns.map(({ turnId }) => world.row(turnId)))).every(
        ({ epoch, not_before }) => epoch > 0 && not_before,
      );
    await waitFor(parked, { what: 'all turns to wait' });
    expect(gemini.requests).toHaveLength(1);
    for (const turn of turns) {
      expect((await turn.ended()).at(-1)).toMatchObject({ type: 'completed' });
      expect(await world.row(turn.turnId)).toMatchObject({ failures: 0, crashes: 0 });
    }
    expect(gemini.requests).toHaveLength(5);
    for (const worker of workers) await worker.stop();
  });

  test('that drips without end is stopped at the total and asked once more', async () => {
    const worker = await world.startWorker({
      MODEL_LADDER: 'gemini',
      GOOGLE_API_KEY: 'test',
      GOOGLE_BASE_URL: gemini.url,
      MODEL_TOTAL_MS: '4000',
    });
    gemini.next({ reply: 'on and on '.repeat(500), tokenDelayMs: 50 });
    const turn = await world.send('How does sleep help?');
    expect((await turn.ended()).at(-1)).toMatchObject({ type: 'completed', reply: { text: clean } });
    expect(gemini.requests.map(({ abandoned }) => abandoned)).toEqual([true, false]);
    await worker.stop();
  });

  test('however often it asks, the turn goes on waiting: no attempt is used up and no breaker opens', async () => {
    const worker = await world.startWorker({
      MODEL_LADDER: 'gemini',
      GOOGLE_API_KEY: 'test',
      GOOGLE_BASE_URL: gemini.url,
      BREAKER_ERROR_PERCENT: '1',
    });
    const refusals = 8;
    for (let time = 0; time < refusals; time++) gemini.next({ status: 429, retryAfterSeconds: 0.05 });
    const turn = await world.send('one');
    expect((await turn.ended(30_000)).at(-1)).toMatchObject({ type: 'completed' });
    expect(gemini.requests).toHaveLength(refusals + 1);
    expect(await world.row(turn.turnId)).toMatchObject({ failures: 0, crashes: 0, outcome: 'completed' });
    await worker.stop();
  });

  test('hands over to the next of the ladder at once', async () => {
    const worker = await world.startWorker({
      MODEL_LADDER: 'gemini,openai',
      GOOGLE_API_KEY: 'test',
      GOOGLE_BASE_URL: gemini.url,
      OPENAI_BASE_URL: openai.url,
      OPENAI_API_KEY: 'test',
    });
    gemini.next({ status: 429, retryAfterSeconds: 60 });
    const first = await (await world.send('one')).ended();
    const second = await (await world.send('two')).ended();
    for (const events of [first, second]) {
      expect(events.at(-1)).toMatchObject({ type: 'completed', model: expect.stringMatching(/^openai\//) });
    }
    expect([gemini.requests.length, openai.requests.length]).toEqual([1, 2]);
    await worker.stop();
  });

  test('MODEL_RPM holds over all workers: what is over it goes to the next of the ladder', async () => {
    const settings = {
      MODEL_LADDER: 'gemini,builtin',
      GOOGLE_API_KEY: 'test',
      GOOGLE_BASE_URL: gemini.url,
      MODEL_RPM: 'gemini=3',
    };
    const workers = [await world.startWorker(settings), await world.startWorker(settings)];
    const turns = await Promise.all(Array.from({ length: 8 }, (_, index) => world.send(`question ${index}`)));
    const models = await Promise.all(
      turns.map(async (turn) => {
        await turn.ended();
        return (await world.row(turn.turnId)).model?.split('/')[0];
      }),
    );
    expect(models.filter((model) => model === 'gemini')).toHaveLength(3);
    expect(models.filter((model) => model === 'builtin')).toHaveLength(5);
    expect(gemini.requests).toHaveLength(3);
    for (const worker of workers) await worker.stop();
  });
});
