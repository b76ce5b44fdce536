import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type ModelServer, startGeminiServer, waitFor } from '@sidestage/testkit';
import { failedSettlement } from './ending/turn-ender.js';
import { makeWorkerWorld, type SentTurn, shownText, type WorkerWorld } from './test-support/worker-world.js';

const reply = 'Sleep is when memories settle [1]. Naps help too [1].';

describe('the life of a turn', () => {
  let world: WorkerWorld;
  let gemini: ModelServer;
  const settings = () => ({ MODEL_LADDER: 'gemini', GOOGLE_API_KEY: 'test', GOOGLE_BASE_URL: gemini.url });

  beforeAll(async () => {
    world = await makeWorkerWorld();
    gemini = await startGeminiServer();
    await world.startWorker(settings());
    await world.startWorker(settings());
  });
  afterAll(async () => {
    await world.close();
    await gemini.close();
  });
  beforeEach(() => {
    gemini.requests.length = 0;
    gemini.behave({ reply });
  });

  test('a job that comes twice makes one reply', async () => {
    const turn = await world.send('Once, please');
    const job = { tenant_id: world.tenantId, turn_id: turn.turnId, request_id: null, traceparent: null };
    await Promise.all([world.dispatcher.offer(job), world.dispatcher.offer(job)]);
    await turn.ended();
    await world.dispatcher.offer(job);
    await waitFor(
      async () => (await world.dispatcher.depth()).running + (await world.dispatcher.depth()).waiting === 0,
    );
    expect(gemini.requests).toHaveLength(1);
    expect(await world.row(turn.turnId)).toMatchObject({ epoch: 1, outcome: 'completed' });
  });

  test('turns of a conversation are answered in order, one at a time, and different ones together', async () => {
    gemini.behave({ reply, tokenDelayMs: 10 });
    const first = await world.send('one');
    const later = [];
    for (const message of ['two', 'three', 'four'])
      later.push(await world.send(message, { conversationId: first.conversationId }));
    const turns = [first, ...later];
    await Promise.all(turns.map((turn) => turn.ended()));
    const rows = await Promise.all(turns.map((turn) => world.row(turn.turnId)));
    for (const [index, row] of rows.entries()) {
      const before = rows[index - 1];
      if (before?.ended_at && row.started_at)
        expect(row.started_at.getTime()).toBeGreaterThanOrEqual(before.ended_at.getTime());
    }
  });

  test('small talk is answered without a search', async () => {
    const searches = world.retrieval.searches.length;
    const events = await (await world.send('Thanks a lot!')).ended();
    expect(events.at(-1)).toMatchObject({ type: 'completed', reply: { grounded: false, citations: [] } });
    expect(world.retrieval.searches).toHaveLength(searches);
    expect(JSON.stringify(gemini.requests.at(-1)?.body)).toContain('Nothing was looked up');
  });

  test('what the fan is watching goes into the search and to the model, and so does another video', async () => {
    const [one, two] = ['https://youtu.be/aaaaaaaaaaa', 'https://youtu.be/bbbbbbbbbbb'];
    world.retrieval.behave({ answer: { watching: { source_id: 'video-1', title: 'Sleep and memory' } } });
    const first = await world.send('Why do naps help?', { videoUrl: one });
    await first.ended();
    expect(world.retrieval.searches.at(-1)?.body).toMatchObject({ query: 'Why do naps help?', video_url: one });
    const watching = () => JSON.stringify(gemini.requests.at(-1)?.body);
    expect(watching()).toContain('The fan is watching your');
    const { conversationId } = first;
    await (await world.send('What does she mean by that?', { conversationId, videoUrl: `${one}?t=9` })).ended();
    expect(world.retrieval.searches.at(-1)?.body).toMatchObject({
      query: expect.stringContaining('Why do naps help?'),
    });
    expect(watching()).not.toContain('gone on to another video');
    await (await world.send('What does she mean by that?', { conversationId, videoUrl: two })).ended();
    world.retrieval.behave({});
    expect(watching()).toContain('has gone on to another video');
    expect(world.retrieval.searches.at(-1)?.body).toMatchObject({
      query: 'What does she mean by that?',
      video_url: two,
    });
  });

  test('cancelling stops the call under way and spends no further one', async () => {
    gemini.behave({ reply, firstTokenMs: 20_000 });
    const turn = await world.send('Never mind');
    await waitFor(() => gemini.openStreams === 1);
    const row = await world.row(turn.turnId);
    const { turn: cancelled } = await world.settler.settle({
      ...failedSettlement(row, null, 'failed', { type: '', title: '', status: 409, code: 'cancelled' }),
      outcome: 'cancelled',
      problem: null,
    });
    await world.writer.append(turn.generationId, cancelled?.epoch ?? 0, [{ type: 'cancelled' }]);
    await waitFor(() => gemini.openStreams === 0, { timeoutMs: 5_000, what: 'the model call to end' });
    expect((await turn.ended()).at(-1)?.type).toBe('cancelled');
    expect(gemini.requests).toHaveLength(1);
    expect(await world.row(turn.turnId)).toMatchObject({ outcome: 'cancelled', reply_text: null });
  });

  test('an expired turn asks no model and is told so', async () => {
    const searches = world.retrieval.searches.length;
    const turn = await world.send('Too late', { deadlineMs: 0 });
    expect((await turn.ended()).at(-1)).toMatchObject({
      type: 'failed',
      problem: { code: 'deadline_exceeded', status: 504 },
    });
    expect(world.retrieval.searches).toHaveLength(searches);
    expect(gemini.requests).toHaveLength(0);
  });

  test('a deadline that passes while the model talks ends the turn', async () => {
    gemini.behave({ reply, tokenDelayMs: 400 });
    const turn = await world.send('Slowly', { deadlineMs: 1_000 });
    expect((await turn.ended()).at(-1)).toMatchObject({ type: 'failed', problem: { code: 'deadline_exceeded' } });
    await waitFor(() => gemini.openStreams === 0);
  });

  test('a turn whose offer was lost is found by the sweeper', async () => {
    const turn = await world.send('Did you hear me?', { offer: false });
    expect((await turn.ended()).at(-1)?.type).toBe('completed');
  });

  test('a turn that ended untold is told by the sweeper, whole', async () => {
    const turn = await world.send('Tell me', { deadlineMs: 180_000, offer: false });
    // A worker that died between its commit and its last event.
    await world.testDatabase.query(
      `UPDATE turns SET state = 'done', outcome = 'completed', epoch = 1, reply_text = 'the whole reply', citations = '[]',
       grounded = false, finish_reason = 'stop', model = 'gemini/x', started_at = now(), ended_at = now() WHERE id = $1`,
      [turn.turnId],
    );
    const events = await turn.ended();
    expect(events.at(-1)).toMatchObject({ type: 'completed', reply: { text: 'the whole reply' } });
    expect(shownText(events)).toBe('the whole reply');
    await waitFor(async () => (await world.row(turn.turnId)).announced);
  });

  test('a turn that saw two workers die runs alone, and waiting for that is not counted against it', async () => {
    gemini.behave({ reply, tokenDelayMs: 20 });
    const others = await Promise.all(['one', 'two', 'three', 'four'].map((message) => world.send(message)));
    const turn = await world.send('suspect', { offer: false });
    await world.testDatabase.query(
      `UPDATE turns SET state = 'running', epoch = 2, crashes = 1, heartbeat_at = now() - interval '1 hour' WHERE id = $1`,
      [turn.turnId],
    );
    expect((await turn.ended()).at(-1)?.type).toBe('completed');
    for (const other of others) expect((await other.ended()).at(-1)?.type).toBe('completed');
    expect(await world.row(turn.turnId)).toMatchObject({ outcome: 'completed', crashes: 2, failures: 0 });
  });

  test('a poison message is set aside after its deaths, and says why', async () => {
    const turn = await world.send('poison', { offer: false });
    await world.testDatabase.query(
      `UPDATE turns SET state = 'running', epoch = 5, crashes = 4, heartbeat_at = now() - interval '1 hour' WHERE id = $1`,
      [turn.turnId],
    );
    const events = await turn.ended();
    expect(events.at(-1)).toMatchObject({ type: 'failed', problem: { code: 'internal' } });
    expect(await world.row(turn.turnId)).toMatchObject({ outcome: 'dead', crashes: 5 });
    expect(gemini.requests).toHaveLength(0);
  });

  describe('where workers died that did not run it', () => {
    /** Its worker is dead as well; others died without it. */
    async function suspect(crashes: number, beside: number): Promise<SentTurn> {
      const turn = await world.send('innocent', { offer: false });
      await world.testDatabase.query(
        `UPDATE turns SET state = 'running', epoch = $2, crashes = $2 - 1, heartbeat_at = now() - interval '1 hour' WHERE id = $1`,
        [turn.turnId, crashes],
      );
      await world.testDatabase.query(
        `INSERT INTO worker_deaths (worker_id) SELECT gen_random_uuid()::text FROM generate_series(1, $1::int)`,
        [crashes + beside],
      );
      return turn;
    }
    afterEach(() => world.testDatabase.query('DELETE FROM worker_deaths'));

    test('a turn is not set aside for as many deaths as usual', async () => {
      const turn = await suspect(6, 2);
      expect((await turn.ended()).at(-1)?.type).toBe('completed');
      expect(await world.row(turn.turnId)).toMatchObject({ outcome: 'completed', crashes: 6, alone: true });
    });

    test('a turn of whose deaths most had nothing to do with it runs beside others', async () => {
      const turn = await suspect(6, 9);
      expect((await turn.ended()).at(-1)?.type).toBe('completed');
      expect(await world.row(turn.turnId)).toMatchObject({ outcome: 'completed', crashes: 6, alone: false });
    });

    test('a turn is set aside all the same once its deaths are enough more than theirs', async () => {
      const turn = await suspect(7, 2);
      expect((await turn.ended()).at(-1)?.type).toBe('failed');
      expect(await world.row(turn.turnId)).toMatchObject({ outcome: 'dead', crashes: 7 });
    });
  });

  test('a stopping worker hands an unfinished turn over, and nothing is counted against it', async () => {
    gemini.behave({ reply, tokenDelayMs: 300 });
    const turn = await world.send('A long one');
    await waitFor(() => turn.events.some((event) => event.type === 'delta'));
    const workers = world.inProcessWorkers();
    await world.startWorker(settings());
    gemini.behave({ reply });
    for (const worker of workers) await worker.stop();
    const events = await turn.ended();
    expect(events.at(-1)?.type).toBe('completed');
    expect(shownText(events)).toBe((await world.row(turn.turnId)).reply_text);
    expect(await world.row(turn.turnId)).toMatchObject({ crashes: 0, failures: 0 });
  });

  test('six stopping workers in a row make no turn dead, nor do the pauses a provider asks for between', async () => {
    gemini.behave({ reply, tokenDelayMs: 300 });
    for (const worker of world.inProcessWorkers()) await worker.stop();
    const turn = await world.send('A long one, often');
    const said = () => turn.events.filter((event) => event.type === 'delta').length;
    for (let rollout = 1; rollout <= 6; rollout++) {
      const before = said();
      gemini.next({ status: 429, retryAfterSeconds: 0.05 });
      const worker = await world.startWorker({ ...settings(), DRAIN_MS: '50' });
      await waitFor(() => said() > before, { what: `rollout ${rollout}` });
      await worker.stop();
    }
    gemini.behave({ reply });
    await world.startWorker(settings());
    expect((await turn.ended()).at(-1)?.type).toBe('completed');
    const row = await world.row(turn.turnId);
    expect(row).toMatchObject({ outcome: 'completed', crashes: 0, failures: 0 });
    expect(row.epoch).toBeGreaterThan(12);
    expect(shownText(turn.events)).toBe(row.reply_text);
  });
});
