import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { makeDeadTurnRepository } from '@sidestage/store';
import { type ModelServer, startGeminiServer, waitFor } from '@sidestage/testkit';
import { makeWorkerWorld, type SentTurn, shownText, type WorkerWorld } from './test-support/worker-world.js';

const poison = 'the message that kills whoever answers it';
/** Slow enough that its worker dies in the middle. */
const slow = { reply: 'Sleep is when memories settle [1]. Naps help too [1].', tokenDelayMs: 200 };

interface Place {
  gemini: ModelServer;
  worker: { kill(signal: NodeJS.Signals): Promise<void> };
}

describe('a message that kills workers', () => {
  let world: WorkerWorld;
  const servers: ModelServer[] = [];

  beforeEach(async () => {
    world = await makeWorkerWorld();
  });
  afterEach(async () => {
    await world.close();
    for (const server of servers.splice(0)) await server.close();
  });

  /** A worker with a model server of its own, so that it is seen who answers what. */
  async function open(): Promise<Place> {
    const gemini = await startGeminiServer();
    servers.push(gemini);
    gemini.behave(slow);
    const settings = { MODEL_LADDER: 'gemini', GOOGLE_API_KEY: 'test', GOOGLE_BASE_URL: gemini.url };
    return { gemini, worker: await world.forkWorker(settings) };
  }

  const isAtWork = ({ gemini }: Place) =>
    gemini.requests.some(({ body, abandoned }) => !abandoned && JSON.stringify(body).includes(poison));
  const runningBeside = async (turn: SentTurn) =>
    (await world.testDatabase.query(`SELECT id FROM turns WHERE state = 'running' AND id <> $1`, [turn.turnId])).length;

  test('is tried again twice, then alone, and set aside after three deaths alone; its neighbours are answered', async () => {
    const places = [await open()];
    const neighbours = await Promise.all(['one', 'two'].map((message) => world.send(message)));
    const turn = await world.send(poison);
    for (let death = 1; death <= 5; death++) {
      const where = await waitFor(() => places.find(isAtWork), { timeoutMs: 25_000, what: `try ${death}` });
      const next = open();
      // Alone: the neighbours of its first two tries wait.
      if (death > 2) expect(await runningBeside(turn)).toBe(0);
      await where.worker.kill('SIGKILL');
      places.splice(places.indexOf(where), 1, await next);
      await waitFor(async () => (await world.row(turn.turnId)).crashes === death, {
        timeoutMs: 25_000,
        what: `death ${death} to be counted`,
      });
      neighbours.push(await world.send(`after death ${death}`));
    }
    expect((await turn.ended(25_000)).at(-1)).toMatchObject({
      type: 'failed',
      problem: { code: 'internal', detail: expect.stringContaining('5 workers stopped') },
    });
    expect(await world.row(turn.turnId)).toMatchObject({ outcome: 'dead', crashes: 5, failures: 0 });
    expect(await world.row(turn.turnId)).toMatchObject({ problem: { detail: expect.stringContaining('set aside') } });
    // Deaths alone are put down to it and to no neighbour. On a starved machine its locks run out before a look: such a death is nobody's.
    const deaths = await world.testDatabase.query('SELECT lone_turn_id FROM worker_deaths ORDER BY at');
    expect(deaths.length).toBeGreaterThan(0);
    for (const { lone_turn_id } of deaths) expect([null, turn.turnId]).toContain(lone_turn_id);
    const listed = await makeDeadTurnRepository(world.database.engine).list({ limit: 10 });
    expect(listed.rows).toMatchObject([
      { id: turn.turnId, crashes: 5, problem: { detail: expect.stringContaining('5 workers stopped') } },
    ]);
    for (const neighbour of neighbours) {
      const events = await neighbour.ended(25_000);
      expect(events.at(-1)?.type).toBe('completed');
      const row = await world.row(neighbour.turnId);
      expect(shownText(events)).toBe(row.reply_text);
      expect(row.crashes).toBeLessThanOrEqual(2);
    }
  }, 180_000);
});
