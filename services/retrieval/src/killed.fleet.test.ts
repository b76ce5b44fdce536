import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { makeTestDatabase, makeTestRedis, type TestDatabase, type TestRedis, waitFor } from '@sidestage/testkit';
import { addCreator, addSource, stateOf } from './testing/sources.js';

const main = fileURLToPath(new URL('../dist/main.js', import.meta.url));
let database: TestDatabase;
let redis: TestRedis;
const children: ChildProcess[] = [];

beforeAll(async () => {
  [database, redis] = await Promise.all([makeTestDatabase(), makeTestRedis({ appendonly: true })]);
});
afterAll(async () => {
  for (const child of children) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  await Promise.all([database?.drop(), redis?.stop()]);
});

function startService(port: number): ChildProcess {
  const env = {
    PATH: process.env.PATH,
    DATABASE_URL: database.url,
    REDIS_URL: redis.url,
    RETRIEVAL_TOKEN: 'a-token-for-tests',
    PORT: String(port),
    LOG_LEVEL: 'ERROR',
  };
  const child = spawn(process.execPath, [main], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  children.push(child);
  return child;
}

test('a source whose service was killed with kill -9 while it was ingested is ready once, after the service is back', async () => {
  const creator = await addCreator(database);
  const content = Array.from(
    { length: 1_500 },
    (_, at) => `Sentence ${at} of a long talk about rye bread and water.`,
  ).join(' ');
  const source = await addSource(database, creator, content);
  await database.query(`UPDATE sources SET updated_at = now() - interval '1 hour' WHERE id = $1`, [source.source_id]);
  const port = 20_000 + (process.pid % 20_000);
  const first = startService(port);
  const isUnderWay = async () => {
    const state = await stateOf(database, source);
    return state?.status === 'ingesting' && state.progress > 0.1;
  };
  await waitFor(isUnderWay, { timeoutMs: 60_000, what: 'the ingestion to be under way' });
  first.kill('SIGKILL');
  await once(first, 'exit');
  expect((await stateOf(database, source))?.status).toBe('ingesting');
  startService(port);
  const isReady = async () => (await stateOf(database, source))?.status === 'ready';
  await waitFor(isReady, { timeoutMs: 150_000, everyMs: 200, what: 'the source to be ready' });
  const [counts] = await database.query<{ passages: number; first: number; knowledge: number }>(
    `SELECT count(*)::int AS passages, count(*) FILTER (WHERE ordinal = 0)::int AS first,
            (SELECT knowledge_version FROM creators WHERE id = $2) AS knowledge FROM passages WHERE source_id = $1`,
    [source.source_id, creator.creator_id],
  );
  expect(counts).toMatchObject({ passages: (await stateOf(database, source))?.passages, first: 1, knowledge: 2 });
}, 240_000);
