import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Lifecycle, makeId, makeLogger, makeMetrics, type PgClient, sleep } from '@sidestage/runtime';
import { makePassageRepository } from '@sidestage/store';
import {
  expectNoConnections,
  makeTestDatabase,
  makeTestRedis,
  type TestDatabase,
  type TestRedis,
  waitFor,
} from '@sidestage/testkit';
import { type RetrievalConfig, readConfig } from './config.js';
import { runReadAhead } from './index/read-ahead.js';
import { readSource } from './parse/read-source.js';
import { makeParts } from './parts.js';
import { type RunningRetrieval, runRetrieval } from './run.js';
import { makeSearch } from './search/search-passages.js';
import { addCreator, addSource, stateOf, type TestCreator } from './testing/sources.js';
import { makeToyEmbeddings } from './testing/toy-embeddings.js';

// A thread runs compiled code.
const threadFile = new URL('../dist/parse/read-thread.js', import.meta.url);
const read: typeof readSource = (request) => readSource(request, threadFile);
const token = 'a-token-for-tests';
const logger = makeLogger({ service: 'test', level: 'FATAL' });
const query = 'how much water does rye flour drink';
const talk = (sentences: number) =>
  Array.from({ length: sentences }, (_, at) => `Remark ${at}: rye flour drinks water for ${at % 90} minutes.`).join(
    ' ',
  );

let database: TestDatabase;
let redis: TestRedis;
/** Two connections for searches, two for the rest. */
let config: RetrievalConfig;
let service: RunningRetrieval;
const creators: TestCreator[] = [];

beforeAll(async () => {
  [database, redis] = await Promise.all([makeTestDatabase(), makeTestRedis()]);
  config = readConfig({
    DATABASE_URL: database.url,
    REDIS_URL: redis.url,
    RETRIEVAL_TOKEN: token,
    LOG_LEVEL: 'FATAL',
    DB_POOL_MAX: '4',
    FLEET_PROCESSES: '1',
  });
  service = await runRetrieval({ ...config, PORT: 0 }, { embeddings: makeToyEmbeddings(), read });
  for (let at = 0; at < 4; at++) creators.push(await addCreator(database));
  const sources = await Promise.all(creators.map((creator) => addSource(database, creator, talk(120))));
  await offer();
  const areReady = async () => {
    for (const source of sources) if ((await stateOf(database, source))?.status !== 'ready') return false;
    return true;
  };
  await waitFor(areReady, { timeoutMs: 60_000, what: 'the sources to be ready' });
}, 90_000);
afterAll(async () => {
  await service?.lifecycle.close();
  if (service) await expectNoConnections({ database });
  await Promise.all([database?.drop(), redis?.stop()]);
});

/** The sweeper finds them at once. */
const offer = () => database.query(`UPDATE sources SET updated_at = now() - interval '1 hour' WHERE status = 'queued'`);
const call = (path: string, body: object = {}) =>
  fetch(`http://127.0.0.1:${service.port}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

test('every search is answered while a large source is ingested and the index is rebuilt', async () => {
  const [creator] = creators;
  if (!creator) throw new Error('no creator');
  const large = await addSource(database, creator, talk(3_000));
  await offer();
  let done = false;
  const statuses = new Map<number, number>();
  const fan = async (at: number) => {
    for (let turn = at; !done; turn++) {
      const response = await call('/internal/search', { ...creators[turn % creators.length], query, limit: 3 });
      const { passages } = (await response.json()) as { passages?: unknown[] };
      const status = response.status === 200 && passages?.length === 0 ? 204 : response.status;
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      await sleep(20);
    }
  };
  const fans = [0, 1, 2, 3].map(fan);
  const rebuilder = (async () => {
    while (!done) {
      await (await call('/internal/rebuild')).body?.cancel();
      await sleep(100);
    }
  })();
  try {
    const isReady = async () => (await stateOf(database, large))?.status === 'ready';
    await waitFor(isReady, { timeoutMs: 60_000, everyMs: 50, what: 'the large source to be ready' });
  } finally {
    done = true;
    await Promise.all([...fans, rebuilder]);
  }
  expect([...statuses.keys()]).toEqual([200]);
  expect((await stateOf(database, large))?.passages).toBeGreaterThan(150);
}, 90_000);

test('a search finds a connection when ingestion, rebuild and reconciler hold every one of theirs', async () => {
  const lifecycle = new Lifecycle(logger);
  const parts = makeParts(config, logger, makeMetrics('test'), lifecycle, makeToyEmbeddings());
  const held: PgClient[] = [];
  try {
    for (let at = 0; at < (parts.pools.bulk.options.max ?? 0); at++) held.push(await parts.pools.bulk.connect());
    const search = makeSearch({ ...parts, publicWebUrl: config.PUBLIC_WEB_URL, metrics: makeMetrics('test') });
    const { passages } = await search({ ...(creators[1] as TestCreator), query, limit: 3 });
    expect(passages.length).toBeGreaterThan(0);
  } finally {
    for (const client of held) client.release();
    await lifecycle.close();
  }
});

test('after a start creators are in memory before anybody asks, those fans spoke to last first', async () => {
  const spoken = [creators[2], creators[0]] as TestCreator[];
  for (const [at, { tenant_id, creator_id }] of spoken.entries()) {
    await database.query(
      `INSERT INTO conversations (id, tenant_id, creator_id, principal, title, last_message_at)
       VALUES ($1, $2, $3, 'user:u', 'A talk', now() - $4 * interval '1 day')`,
      [makeId(), tenant_id, creator_id, at],
    );
  }
  const lifecycle = new Lifecycle(logger);
  const parts = makeParts(config, logger, makeMetrics('test'), lifecycle, makeToyEmbeddings());
  try {
    const order = await makePassageRepository(parts.pools.bulk).creatorsByActivity(10);
    expect(order.map(({ creator_id }) => creator_id).slice(0, 2)).toEqual(spoken.map(({ creator_id }) => creator_id));
    expect(order).toHaveLength(creators.length);
    const read: string[] = [];
    const index = {
      readAhead: async (creator: Parameters<typeof parts.embedded.readAhead>[0]) => {
        const kept = await parts.embedded.readAhead(creator);
        read.push(creator.creator_id);
        return kept;
      },
    };
    const reading = runReadAhead({ passages: parts.bulkPassages, index, logger });
    await waitFor(() => read.length === creators.length, { what: 'every creator to be in memory' });
    await reading.close();
    // Nothing is left to be read: a search that had to would wait for ever.
    parts.passages.indexed = () => new Promise(() => undefined);
    const search = makeSearch({ ...parts, publicWebUrl: config.PUBLIC_WEB_URL, metrics: makeMetrics('test') });
    for (const creator of creators) {
      expect((await search({ ...creator, query, limit: 1 })).passages).toHaveLength(1);
    }
  } finally {
    await lifecycle.close();
  }
});
