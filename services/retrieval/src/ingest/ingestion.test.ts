import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { makeLogger, makeMetrics } from '@sidestage/runtime';
import { type Database, makeDatabase, makeIngestionRepository } from '@sidestage/store';
import { makeTestDatabase, makeTestRedis, type TestDatabase, type TestRedis, waitFor } from '@sidestage/testkit';
import { type FetchAddress, type FetchedSource, FetchFailedError } from '../fetch/fetch-source.js';
import { ParseError } from '../parse/parsed.js';
import { addCreator, addSource, deleteSource, replaceSource, stateOf, type TestCreator } from '../testing/sources.js';
import { makeToyEmbeddings, type ToyEmbeddings } from '../testing/toy-embeddings.js';
import { type IngestQueue, runIngestQueue } from './ingest-queue.js';
import { makeIngestSource } from './ingest-source.js';
import { runSweeper } from './sweeper.js';

const logger = makeLogger({ service: 'test', level: 'FATAL' });
const talk = (about: string) => Array.from({ length: 40 }, (_, at) => `Sentence ${at} is about ${about}.`).join(' ');

let database: TestDatabase;
let redis: TestRedis;
let connections: Database;
let creator: TestCreator;
let embeddings: ToyEmbeddings;
let queue: IngestQueue;
let fetching: (address: FetchAddress) => Promise<FetchedSource>;

beforeAll(async () => {
  [database, redis] = await Promise.all([makeTestDatabase(), makeTestRedis()]);
  connections = makeDatabase({ url: database.url, max: 6, idleMs: 10_000, waitMs: 5_000, logger });
});
afterAll(async () => {
  await connections?.close();
  await Promise.all([database?.drop(), redis?.stop()]);
});
beforeEach(async () => {
  creator = await addCreator(database);
  embeddings = makeToyEmbeddings();
  queue = startQueue(embeddings);
});
afterEach(async () => {
  embeddings.release();
  await queue.close();
});

function startQueue(model: ToyEmbeddings): IngestQueue {
  const repository = makeIngestionRepository(connections.engine);
  const ingest = makeIngestSource({
    repository,
    embeddings: model,
    fetchContent: (address) => fetching(address),
    logger,
    onReady: async () => undefined,
  });
  const metrics = makeMetrics('test');
  return runIngestQueue({ redisUrl: redis.url, concurrency: 2, repository, ingest, logger, metrics });
}

async function knowledgeVersion(): Promise<number | undefined> {
  const [row] = await database.query<{ knowledge_version: number }>(
    'SELECT knowledge_version FROM creators WHERE id = $1',
    [creator.creator_id],
  );
  return row?.knowledge_version;
}

async function passageTexts(sourceId: string): Promise<string> {
  const rows = await database.query<{ text: string }>(
    'SELECT text FROM passages WHERE source_id = $1 ORDER BY ordinal',
    [sourceId],
  );
  return rows.map(({ text }) => text).join(' ');
}

async function setOf(sourceId: string): Promise<string | null | undefined> {
  const [row] = await database.query<{ passage_set: string | null }>('SELECT passage_set FROM sources WHERE id = $1', [
    sourceId,
  ]);
  return row?.passage_set;
}

const statusOf = async (source: Parameters<typeof stateOf>[1]) => (await stateOf(database, source))?.status;

describe('ingestion', () => {
  test('makes a source ready: segments, passages, a vector a window, a new knowledge version', async () => {
    const source = await addSource(database, creator, talk('bread'));
    await queue.offer(source);
    await waitFor(async () => (await statusOf(source)) === 'ready');
    const state = await stateOf(database, source);
    expect(state).toMatchObject({ progress: 1, error: null });
    expect(state?.passages).toBeGreaterThan(1);
    const [counts] = await database.query<{ passages: number; whole: number; small: number; segments: number }>(
      `SELECT (SELECT count(*)::int FROM passages WHERE source_id = $1) AS passages,
              (SELECT count(*)::int FROM segments WHERE source_id = $1) AS segments,
              count(*) FILTER (WHERE v.part = 0)::int AS whole, count(*) FILTER (WHERE v.part > 0)::int AS small
       FROM passage_vectors v JOIN passages p ON p.id = v.passage_id WHERE p.source_id = $1 AND v.model = 'toy@1'`,
      [source.source_id],
    );
    expect(counts).toMatchObject({ passages: state?.passages, whole: state?.passages, segments: 1 });
    expect(counts?.small).toBeGreaterThan(counts?.whole ?? 0);
    expect(await knowledgeVersion()).toBe(2);
  });

  test('says in words what is wrong with a file, and forgets what an earlier version said', async () => {
    const source = await addSource(database, creator, talk('bread'));
    await queue.offer(source);
    await waitFor(async () => (await statusOf(source)) === 'ready');
    const broken = await replaceSource(database, source, ' \n ');
    await queue.offer(broken);
    await waitFor(async () => (await statusOf(source)) === 'failed');
    expect(await stateOf(database, source)).toMatchObject({ error: 'no text was found in the file', passages: 0 });
    expect(await passageTexts(source.source_id)).toBe('');
  });

  test('swaps a replaced source’s passages for the new ones', async () => {
    const source = await addSource(database, creator, talk('bread'));
    await queue.offer(source);
    await waitFor(async () => (await statusOf(source)) === 'ready');
    await queue.offer(await replaceSource(database, source, talk('guitars')));
    await waitFor(async () => (await statusOf(source)) === 'ready');
    expect(await passageTexts(source.source_id)).toContain('guitars');
    expect(await passageTexts(source.source_id)).not.toContain('bread');
  });

  test('of a changed source embeds and writes what changed, and leaves the rest as it is', async () => {
    const parts = Array.from({ length: 40 }, (_, at) =>
      Array.from({ length: 3 + (at % 7) }, (_, n) => `Remark ${n} of part ${at} is about bread and ${at} loaves.`).join(
        ' ',
      ),
    );
    const source = await addSource(database, creator, parts.join('\n\n'));
    await queue.offer(source);
    await waitFor(async () => (await statusOf(source)) === 'ready');
    const rows = () =>
      database.query<{ id: string; text: string; ordinal: number; start_seconds: number | null }>(
        'SELECT id, text, ordinal, start_seconds FROM passages WHERE source_id = $1 ORDER BY ordinal',
        [source.source_id],
      );
    const before = await rows();
    const setBefore = await setOf(source.source_id);
    const embedded = embeddings.texts;
    const changed = ['Something was forgotten at the beginning.', ...parts.slice(0, -1), 'The end is another one.'];
    await queue.offer(await replaceSource(database, source, changed.join('\n\n')));
    await waitFor(async () => (await statusOf(source)) === 'ready');
    const after = await rows();
    expect(after.map(({ ordinal }) => ordinal)).toEqual(after.map((_, at) => at));
    const idOf = new Map(before.map(({ id, text }) => [text, id]));
    const kept = after.filter(({ text }) => idOf.has(text));
    expect(before.length).toBeGreaterThan(12);
    expect(kept.length).toBeGreaterThanOrEqual(before.length - 4);
    expect(kept.length).toBeLessThan(after.length);
    for (const { id, text } of kept) expect(id).toBe(idOf.get(text));
    const fresh = after.filter(({ text }) => !idOf.has(text)).map(({ text }) => text);
    const told = embeddings.texts.slice(embedded.length);
    for (const text of told) expect(fresh.some((passage) => passage.includes(text))).toBe(true);
    expect(await setOf(source.source_id)).not.toBe(setBefore);
    const [lost] = await database.query<{ count: number }>(
      `SELECT count(*)::int AS count FROM passages p WHERE source_id = $1 AND NOT EXISTS (
         SELECT FROM passage_vectors v WHERE v.passage_id = p.id AND v.part = 0)`,
      [source.source_id],
    );
    expect(lost?.count).toBe(0);
  });

  test('takes what a source says twice once', async () => {
    const source = await addSource(database, creator, [talk('bread'), talk('guitars'), talk('bread')].join('\n\n'));
    await queue.offer(source);
    await waitFor(async () => (await statusOf(source)) === 'ready');
    const texts = await passageTexts(source.source_id);
    expect(texts.match(/Sentence 7 is about bread/g)).toHaveLength(1);
    expect(texts).toContain('Sentence 39 is about guitars');
  });

  test('ends without effect when the source is replaced meanwhile', async () => {
    const source = await addSource(database, creator, talk('bread'));
    embeddings.hold();
    await queue.offer(source);
    await waitFor(() => embeddings.begun > 0);
    const next = await replaceSource(database, source, talk('guitars'));
    embeddings.release();
    await queue.offer(next);
    await waitFor(async () => (await statusOf(source)) === 'ready');
    expect(await passageTexts(source.source_id)).not.toContain('bread');
    expect(await knowledgeVersion()).toBe(2);
  });

  test('ends without effect when the source is deleted meanwhile', async () => {
    const source = await addSource(database, creator, talk('bread'));
    embeddings.hold();
    await queue.offer(source);
    await waitFor(() => embeddings.begun > 0);
    await deleteSource(database, source);
    embeddings.release();
    const other = await addSource(database, creator, talk('guitars'));
    await queue.offer(other);
    await waitFor(async () => (await statusOf(other)) === 'ready');
    expect(await passageTexts(source.source_id)).toBe('');
  });

  test('fetches a source that came without content, once, and knows what it got', async () => {
    const asked: FetchAddress[] = [];
    fetching = async (address) => {
      asked.push(address);
      return { format: 'markdown', content: `# Bread\n\n${talk('bread')}` };
    };
    const url = 'https://example.org/bread.md';
    const source = await addSource(database, creator, null, 'html', url);
    await queue.offer(source);
    await waitFor(async () => (await statusOf(source)) === 'ready');
    expect(asked).toEqual([{ url, format: 'html' }]);
    expect(await passageTexts(source.source_id)).toContain('Sentence 3 is about bread.');
    const [row] = await database.query<{ format: string; content: string }>(
      'SELECT format, content FROM sources JOIN source_contents ON source_id = id WHERE id = $1',
      [source.source_id],
    );
    expect(row).toMatchObject({ format: 'markdown', content: expect.stringContaining('# Bread') });
  });

  test('says why an address cannot be fetched; one that may be there later is tried again', async () => {
    fetching = () => Promise.reject(new ParseError('10.0.0.1 is not a public address'));
    const refused = await addSource(database, creator, null, 'html', 'http://10.0.0.1/');
    await queue.offer(refused);
    await waitFor(async () => (await statusOf(refused)) === 'failed');
    expect((await stateOf(database, refused))?.error).toBe('10.0.0.1 is not a public address');
    let tries = 0;
    fetching = async () => {
      tries += 1;
      if (tries === 1) throw new FetchFailedError('example.org answered 503');
      return { format: 'text', content: talk('bread') };
    };
    const later = await addSource(database, creator, null, 'html', 'https://example.org/');
    await queue.offer(later);
    await waitFor(async () => (await statusOf(later)) === 'ready');
    expect(tries).toBe(2);
  });

  test('tries again when the embedding service could not be reached', async () => {
    embeddings.fail();
    const source = await addSource(database, creator, talk('bread'));
    await queue.offer(source);
    await waitFor(() => embeddings.begun > 0);
    expect(await statusOf(source)).toBe('ingesting');
    embeddings.recover();
    await waitFor(async () => (await statusOf(source)) === 'ready');
  });

  test('offered twice, is done once', async () => {
    const source = await addSource(database, creator, talk('bread'));
    embeddings.hold();
    await queue.offer(source);
    await queue.offer(source);
    await waitFor(() => embeddings.begun > 0);
    embeddings.release();
    await waitFor(async () => (await statusOf(source)) === 'ready');
    await queue.offer(source);
    const other = await addSource(database, creator, talk('guitars'));
    await queue.offer(other);
    await waitFor(async () => (await statusOf(other)) === 'ready');
    expect(await knowledgeVersion()).toBe(3);
  });
});

describe('after a part has died', () => {
  const sweep = (olderThanMs: number) =>
    runSweeper({ repository: makeIngestionRepository(connections.engine), queue, everyMs: 50, olderThanMs, logger });

  test('a source whose job was lost with Redis is found and ingested', async () => {
    await redis.restart({ wipe: true });
    const source = await addSource(database, creator, talk('bread'));
    const sweeper = sweep(50);
    try {
      await waitFor(async () => (await statusOf(source)) === 'ready');
    } finally {
      await sweeper.close();
    }
  });

  test('a source that was being ingested when its process died is taken up by another', async () => {
    const source = await addSource(database, creator, talk('bread'));
    // What a killed process leaves: a row that says it is being worked on, and no job.
    await database.query(`UPDATE sources SET status = 'ingesting', progress = 0.4 WHERE id = $1`, [source.source_id]);
    const sweeper = sweep(50);
    try {
      await waitFor(async () => (await statusOf(source)) === 'ready');
    } finally {
      await sweeper.close();
    }
    expect((await stateOf(database, source))?.passages).toBeGreaterThan(0);
  });
});
