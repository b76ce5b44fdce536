import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { queues } from '@sidestage/contracts';
import { type ModelServer, startGeminiServer, waitFor } from '@sidestage/testkit';
import { queuePrefix } from '@sidestage/turns';
import { makeWorkerWorld, type SentTurn, shownText, type WorkerWorld } from './test-support/worker-world.js';

const words = 'Sleep is when memories settle [1]. Naps help too [1]. Rest is part of training [2]. ';
const clean = 'Sleep is when memories settle. Naps help too. Rest is part of training.';
/** Stops in the middle and stays there, so that the fault always finds work in flight. */
const midReply = { reply: words, stallAfterWords: 8, tokenDelayMs: 10 };

describe('a worker', () => {
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
    gemini.behave(midReply);
  });
  afterEach(async () => {
    await world.close();
    await gemini.close();
  });

  const spoke = (turn: SentTurn, attempt: number) =>
    waitFor(
      () => {
        const from = turn.events.findIndex((event) => event.type === 'started' && event.attempt === attempt);
        return from >= 0 && turn.events.slice(from).some((event) => event.type === 'delta');
      },
      { timeoutMs: 60_000, what: `text of attempt ${attempt}` },
    );

  async function expectWhole(turn: SentTurn, timeoutMs = 60_000): Promise<void> {
    const events = await turn.ended(timeoutMs);
    expect(events.at(-1)).toMatchObject({ type: 'completed', reply: { text: clean } });
    expect(shownText(events)).toBe(clean);
    const numbers = events.map((event) => event.seq);
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
  }

  test('whose event loop stood still past its lock cannot write: the newer run alone is heard and stored', async () => {
    const victim = await world.forkWorker(settings());
    const turn = await world.send('How does sleep help?');
    await spoke(turn, 1);
    await world.forkWorker(settings());
    victim.freeze();
    await spoke(turn, 2);
    // The newer run is in the middle of its reply while the old one goes on.
    await waitFor(() => shownText(turn.events).includes('Naps help'), { what: 'all that is said before the stall' });
    await new Promise((resolve) => setTimeout(resolve, 300));
    const heard = turn.events.length;
    victim.resume();
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    expect(turn.events.slice(heard).filter((event) => event.type !== 'queued')).toEqual([]);
    expect(await world.row(turn.turnId)).toMatchObject({ state: 'running', epoch: 2, crashes: 1 });
    // And what the old one would store is refused, whatever it still believes.
    const row = await world.row(turn.turnId);
    const late = await world.settler.settle({
      tenant_id: row.tenant_id,
      turn_id: row.id,
      conversation_id: row.conversation_id,
      epoch: 1,
      outcome: 'completed',
      reply_text: 'of the old run',
      citations: [],
      grounded: false,
      finish_reason: 'stop',
      model: 'old',
      input_tokens: 1,
      output_tokens: 1,
      first_text_ms: 1,
      problem: null,
    });
    expect(late.written).toBe(false);
    expect(await world.row(turn.turnId)).toMatchObject({ state: 'running', reply_text: null });
  }, 150_000);

  test('killed, and the next one of the same job killed too: still answered, once', async () => {
    const first = await world.forkWorker(settings());
    const turn = await world.send('How does sleep help?');
    await spoke(turn, 1);
    const second = await world.forkWorker(settings());
    await first.kill('SIGKILL');
    await spoke(turn, 2);
    await world.forkWorker(settings());
    gemini.behave({ reply: words });
    await second.kill('SIGKILL');
    await expectWhole(turn);
    expect(await world.row(turn.turnId)).toMatchObject({ crashes: 2, failures: 0, outcome: 'completed' });
  }, 180_000);

  test('that stored a reply and died before its last event, with the queue wiped as well: the fan is told, once, whole', async () => {
    const turn = await world.send('How does sleep help?', { offer: false });
    await world.writer.append(turn.generationId, 1, [{ type: 'delta', text: 'Sleep is when' }]);
    await waitFor(() => turn.events.length === 2);
    await world.testDatabase.query(
      `UPDATE turns SET state = 'done', outcome = 'completed', epoch = 1, reply_text = $2, citations = '[]', grounded = false,
       finish_reason = 'stop', model = 'gemini/x', started_at = now(), ended_at = now() WHERE id = $1`,
      [turn.turnId, clean],
    );
    await world.testRedis.restart({ wipe: true });
    await world.startWorker(settings());
    await expectWhole(turn);
    await waitFor(async () => (await world.row(turn.turnId)).announced, { what: 'the turn to be announced' });
    expect(gemini.requests).toHaveLength(0);
    expect(turn.events.filter((event) => event.type === 'completed')).toHaveLength(1);
  }, 150_000);

  test('in the middle of replies when Redis cannot write its file: what it said is stored, and said when Redis takes it', async () => {
    gemini.behave({ reply: words, tokenDelayMs: 60 });
    await world.startWorker(settings());
    const turns = [await world.send('one'), await world.send('two')];
    await waitFor(() => turns.every((turn) => turn.events.some((event) => event.type === 'delta')));
    world.testRedis.fillDisk();
    await waitFor(async () => refusesWrites(), { what: 'Redis to refuse writes' });
    turns.push(await world.send('while it refuses'));
    await waitFor(async () => (await world.row(turns[0]?.turnId ?? '')).outcome === 'completed', {
      timeoutMs: 60_000,
      what: 'the reply to be stored without Redis',
    });
    world.testRedis.freeDisk();
    for (const turn of turns) await expectWhole(turn);
  }, 150_000);

  test('in the middle of replies when Redis is full: what it said is stored, and said when there is room', async () => {
    gemini.behave({ reply: words, tokenDelayMs: 60 });
    await world.startWorker(settings());
    const turn = await world.send('one');
    await waitFor(() => turn.events.some((event) => event.type === 'delta'));
    await world.redis.config('SET', 'maxmemory', '1');
    await waitFor(async () => (await world.row(turn.turnId)).outcome === 'completed', {
      timeoutMs: 60_000,
      what: 'the reply to be stored without Redis',
    });
    await world.redis.config('SET', 'maxmemory', '0');
    await expectWhole(turn);
  }, 150_000);

  async function refusesWrites(): Promise<boolean> {
    return world.redis.set('probe', String(Math.random())).then(
      () => false,
      (error: Error) => error.message.startsWith('MISCONF'),
    );
  }

  test('does not start on a Redis that may evict keys', async () => {
    await world.redis.config('SET', 'maxmemory-policy', 'allkeys-lru');
    await expect(world.startWorker(settings())).rejects.toThrow('maxmemory-policy allkeys-lru');
    await world.redis.config('SET', 'maxmemory-policy', 'noeviction');
  });

  test('whose Postgres is read-only in the middle of replies: nothing is counted against a turn, all are answered', async () => {
    gemini.behave({ reply: words, tokenDelayMs: 300 });
    const worker = await world.startWorker(settings());
    const turns = await Promise.all(['one', 'two', 'three'].map((message) => world.send(message)));
    await waitFor(() => turns.every((turn) => turn.events.some((event) => event.type === 'delta')));
    await world.testDatabase.query(
      `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'read-only' USING ERRCODE = '25006'; END $$`,
    );
    await world.testDatabase.query(
      'CREATE TRIGGER refuse BEFORE UPDATE ON turns FOR EACH STATEMENT EXECUTE FUNCTION refuse()',
    );
    const health = async (which: string) => (await fetch(`http://127.0.0.1:${worker.port}/health/${which}`)).status;
    await waitFor(async () => (await health('ready')) === 503, {
      timeoutMs: 30_000,
      what: 'the worker not to be ready',
    });
    expect(await health('live')).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    await world.testDatabase.query('DROP FUNCTION refuse CASCADE');
    for (const turn of turns) {
      await expectWhole(turn);
      expect(await world.row(turn.turnId)).toMatchObject({ crashes: 0, failures: 0 });
    }
    expect(gemini.requests).toHaveLength(3);
  }, 180_000);
});

describe('a hot conversation', () => {
  test('of 200 turns over two workers: answered in the order accepted, one at a time', async () => {
    const world = await makeWorkerWorld();
    try {
      await world.startWorker();
      await world.startWorker();
      const first = await world.send('0', { follow: false });
      const { conversationId } = first;
      await Promise.all(
        Array.from({ length: 199 }, (_, index) => world.send(String(index + 1), { conversationId, follow: false })),
      );
      const turns = () =>
        world.testDatabase.query<{ ordinal: number; started_at: Date; ended_at: Date; outcome: string | null }>(
          'SELECT ordinal, started_at, ended_at, outcome FROM turns WHERE conversation_id = $1 ORDER BY ordinal',
          [conversationId],
        );
      await waitFor(async () => (await turns()).every(({ outcome }) => outcome === 'completed'), {
        timeoutMs: 150_000,
        everyMs: 200,
        what: 'all to be answered',
      });
      const all = await turns();
      expect(all.map(({ ordinal }) => ordinal)).toEqual(Array.from({ length: 200 }, (_, index) => index + 1));
      const inversions = all.filter((turn, index) => index > 0 && turn.started_at < (all[index - 1]?.ended_at ?? 0));
      expect(inversions).toEqual([]);
      const left = await world.redis.llen(`${queuePrefix}:${queues.chat.name}:wait`);
      expect(left).toBe(0);
    } finally {
      await world.close();
    }
  }, 180_000);
});
