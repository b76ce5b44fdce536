import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { queues } from '@sidestage/contracts';
import { type ModelServer, startGeminiServer, waitFor } from '@sidestage/testkit';
import { keys, queuePrefix } from '@sidestage/turns';
import { makeWorkerWorld, type SentTurn, shownText, type WorkerWorld } from './test-support/worker-world.js';

const words = 'Sleep is when memories settle [1]. Naps help too [1]. Rest is part of training [2]. ';
/** Stops in the middle and stays there, so that the fault always finds work in flight. */
const midReply = { reply: words, stallAfterWords: 8, tokenDelayMs: 10 };

describe('when a part dies', () => {
  let world: WorkerWorld;
  let gemini: ModelServer;
  const settings = (extra: Record<string, string> = {}) => ({
    MODEL_LADDER: 'gemini',
    GOOGLE_API_KEY: 'test',
    GOOGLE_BASE_URL: gemini.url,
    MODEL_GAP_MS: '60000',
    ...extra,
  });

  beforeEach(async () => {
    world = await makeWorkerWorld();
    gemini = await startGeminiServer();
  });
  afterEach(async () => {
    await world.close();
    await gemini.close();
  });

  /** Each turn ended once, what was streamed is what is stored, and numbers only rise. */
  async function expectWhole(turns: SentTurn[], timeoutMs = 30_000): Promise<void> {
    for (const turn of turns) {
      const events = await turn.ended(timeoutMs);
      expect(events.at(-1)?.type).toBe('completed');
      const numbers = events.map((event) => event.seq);
      expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
      expect(shownText(events)).toBe((await world.row(turn.turnId)).reply_text);
    }
  }

  const talking = (turns: SentTurn[]) =>
    waitFor(() => turns.every((turn) => turn.events.some((event) => event.type === 'delta')), { what: 'text' });

  /** Three replies under way on a worker that is about to fail, and another worker that can take them. */
  async function beginOn(): Promise<{ victim: Awaited<ReturnType<WorkerWorld['forkWorker']>>; turns: SentTurn[] }> {
    gemini.behave(midReply);
    const victim = await world.forkWorker(settings());
    const turns = await Promise.all(['one', 'two', 'three'].map((message) => world.send(message)));
    await talking(turns);
    await world.forkWorker(settings());
    gemini.behave({ reply: words });
    return { victim, turns };
  }

  async function expectRestarted(turns: SentTurn[]): Promise<void> {
    for (const turn of turns) {
      expect(turn.events.filter((event) => event.type === 'reset').length).toBeGreaterThanOrEqual(1);
      expect(turn.events.some((event) => event.type === 'reset' && event.recovered === false)).toBe(false);
      expect(await world.row(turn.turnId)).toMatchObject({ crashes: 1, outcome: 'completed' });
    }
  }

  test('a worker killed in the middle of replies is missed by its connection: others say reset and the whole reply', async () => {
    const { victim, turns } = await beginOn();
    const killedAt = performance.now();
    await victim.kill('SIGKILL');
    // Its locks never run out now: only the watch over the workers can free the jobs.
    const persisted = await Promise.all(
      turns.map(({ turnId }) => world.redis.persist(`${queuePrefix}:${queues.chat.name}:${turnId}:lock`)),
    );
    expect(persisted).toEqual([1, 1, 1]);
    await expectWhole(turns, 15_000);
    console.log(`after kill -9: all whole within ${Math.round(performance.now() - killedAt)} ms`);
    await expectRestarted(turns);
  });

  test('a worker that freezes keeps its connections, and its locks run out: others say reset and the whole reply', async () => {
    const { victim, turns } = await beginOn();
    victim.freeze();
    await expectWhole(turns, 20_000);
    await expectRestarted(turns);
  });

  test('Redis frozen past the locks: the worker stops by itself, and every turn is answered once', async () => {
    gemini.behave(midReply);
    await world.startWorker(settings());
    await world.startWorker(settings());
    const turns = await Promise.all(['one', 'two', 'three'].map((message) => world.send(message)));
    await talking(turns);
    world.testRedis.freeze();
    await waitFor(() => gemini.openStreams === 0, { timeoutMs: 7_000, what: 'the runs to stop while Redis is frozen' });
    gemini.behave({ reply: words });
    turns.push(await world.send('while frozen'));
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    world.testRedis.resume();
    await expectWhole(turns);
    for (const turn of turns) expect(await world.row(turn.turnId)).toMatchObject({ crashes: 0, failures: 0 });
  });

  test('Redis killed and restarted: what was accepted is answered', async () => {
    gemini.behave({ reply: words.repeat(2), tokenDelayMs: 30 });
    await world.startWorker(settings());
    const turns = await Promise.all(['one', 'two'].map((message) => world.send(message)));
    await talking(turns);
    await world.testRedis.kill();
    turns.push(await world.send('while down'));
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await world.testRedis.restart();
    await expectWhole(turns);
  });

  test('Redis wiped in the middle of replies and with turns waiting: told so, everything answered once', async () => {
    gemini.behave(midReply);
    await world.startWorker(settings({ WORKER_CONCURRENCY: '2' }));
    const turns = await Promise.all(['one', 'two'].map((message) => world.send(message)));
    await talking(turns);
    for (let index = 0; index < 8; index++) turns.push(await world.send(`waiting ${index}`));
    await world.testRedis.restart({ wipe: true });
    await waitFor(async () => (await world.redis.zcard(keys.inFlight(world.tenantId, 'user:test'))) === turns.length, {
      what: 'the leases to be rebuilt',
    });
    gemini.behave({ reply: words });
    await expectWhole(turns);
    for (const turn of turns.slice(0, 2))
      expect(turn.events.some((event) => event.type === 'reset' && event.recovered === false)).toBe(true);
  });

  test('Postgres cuts every connection: nothing is lost, nothing is answered twice', async () => {
    gemini.behave({ reply: words, tokenDelayMs: 20 });
    await world.startWorker(settings());
    const turns: SentTurn[] = [];
    for (let index = 0; index < 10; index++) turns.push(await world.send(`question ${index}`));
    await talking(turns.slice(0, 3));
    for (let round = 0; round < 5; round++) {
      await world.testDatabase.cutConnections();
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await expectWhole(turns);
    // No worker died: an outage of Postgres is not counted as a death.
    for (const turn of turns) expect(await world.row(turn.turnId)).toMatchObject({ crashes: 0 });
  });

  test('a retrieval service that hangs costs its deadline and no more', async () => {
    await world.startWorker(settings({ RETRIEVAL_TIMEOUT_MS: '200' }));
    world.retrieval.behave({ hang: true });
    gemini.behave({ reply: 'I cannot look that up.' });
    const turn = await world.send('Anyone?');
    expect((await turn.ended()).at(-1)).toMatchObject({ type: 'completed', reply: { grounded: false } });
  });

  test('a retrieval service that comes back is asked again at once, not when the breaker’s time is over', async () => {
    gemini.behave({ reply: words });
    await world.startWorker(settings({ BREAKER_RESET_MS: '3600000', RETRIEVAL_TIMEOUT_MS: '300' }));
    const ask = async (message: string) => (await (await world.send(message)).ended()).at(-1);
    world.retrieval.behave({ hang: true });
    const outage = Array.from({ length: 8 }, (_, index) => ask(`while it hangs ${index}`));
    for (const end of await Promise.all(outage)) expect(end).toMatchObject({ reply: { grounded: false } });
    const asked = world.retrieval.searches.length;
    expect(await ask('while the breaker is open')).toMatchObject({ reply: { grounded: false } });
    expect(world.retrieval.searches).toHaveLength(asked);
    world.retrieval.behave({});
    let tries = 0;
    const grounded = async () => {
      tries += 1;
      const end = await ask(`after it is back ${tries}`);
      return end?.type === 'completed' && end.reply.grounded;
    };
    await waitFor(grounded, { timeoutMs: 20_000, what: 'a grounded reply' });
    expect(await ask('and from then on')).toMatchObject({ reply: { grounded: true } });
  });

  test('an old claim can neither say nor store anything once a newer one speaks', async () => {
    const turn = await world.send('Fenced', { offer: false });
    const say = (epoch: number, text: string) =>
      world.writer.append(turn.generationId, epoch, [{ type: 'delta', text }]);
    expect(await say(1, 'old')).toMatchObject({ accepted: true });
    expect(await say(2, 'new')).toMatchObject({ accepted: true });
    expect(await say(1, 'late')).toEqual({ accepted: false });
    expect(await world.writer.append(turn.generationId, 1, [{ type: 'cancelled' }])).toEqual({ accepted: false });
  });
});
