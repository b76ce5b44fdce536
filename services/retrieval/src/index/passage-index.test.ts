import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { makeBreaker, makeId, makeLogger, makeMetrics } from '@sidestage/runtime';
import {
  type Database,
  makeDatabase,
  makeIngestionRepository,
  makePassageRepository,
  type SourceVersion,
} from '@sidestage/store';
import {
  makeTestDatabase,
  startWeaviate,
  type TestDatabase,
  type TestWeaviate,
  weaviateMissing,
} from '@sidestage/testkit';
import { makeIngestSource } from '../ingest/ingest-source.js';
import { putSource, rebuild } from '../rebuild.js';
import { makeSearch } from '../search/search-passages.js';
import { addCreator, addSource, deleteSource, replaceSource, type TestCreator } from '../testing/sources.js';
import { makeToyEmbeddings, type ToyEmbeddings } from '../testing/toy-embeddings.js';
import { makeEmbeddedIndex } from './embedded-index.js';
import type { PassageIndex } from './passage-index.js';
import { reconcile } from './reconcile.js';
import { connectWeaviate } from './weaviate-connection.js';
import { makeWeaviateIndex, type WeaviateIndex } from './weaviate-index.js';
import { olderClassNames } from './weaviate-schema.js';

const logger = makeLogger({ service: 'test', level: 'FATAL' });
const metrics = makeMetrics('test');
const model = 'toy@1';
const missing = weaviateMissing();

let database: TestDatabase;
let connections: Database;
let weaviateServer: TestWeaviate | undefined;

beforeAll(async () => {
  database = await makeTestDatabase();
  connections = makeDatabase({ url: database.url, max: 6, idleMs: 10_000, waitMs: 5_000, logger });
  if (!missing) weaviateServer = await startWeaviate();
}, 90_000);
afterAll(async () => {
  await connections?.close();
  await Promise.all([database?.drop(), weaviateServer?.stop()]);
});

function openWeaviate(deadlineMs = 5_000): WeaviateIndex {
  const passages = makePassageRepository(connections.engine);
  return makeWeaviateIndex({
    url: weaviateServer?.url ?? '',
    model,
    breaker: makeBreaker({ name: 'weaviate', errorPercent: 50, resetMs: 60_000, volumeThreshold: 1, logger, metrics }),
    wordStats: passages.wordStats,
    passageSets: passages.passageSets,
    deadlineMs,
  });
}

const openEmbedded = () =>
  makeEmbeddedIndex({ passages: makePassageRepository(connections.engine), model, maxBytes: 64 * 1024 * 1024 });

const refuseToFetch = () => Promise.reject(new Error('nothing is fetched here'));

/** A whole road from a source to an answer, over the given indexes. */
function makeRoad(indexes: PassageIndex[], embeddings: ToyEmbeddings = makeToyEmbeddings()) {
  const ingestion = makeIngestionRepository(connections.engine);
  const passages = makePassageRepository(connections.engine);
  const parts = { ingestion, passages, embeddings, indexes, logger };
  const onReady = (source: SourceVersion & { creator_id: string }) => putSource(parts, source);
  return {
    parts,
    embeddings,
    ingest: makeIngestSource({ repository: ingestion, embeddings, fetchContent: refuseToFetch, logger, onReady }),
    search: makeSearch({ ...parts, publicWebUrl: 'http://localhost:3000', metrics }),
  };
}
type Road = ReturnType<typeof makeRoad>;

const about = (subject: string, sentences = 12) =>
  Array.from({ length: sentences }, (_, at) => `Remark ${at} concerns ${subject} and nothing besides ${subject}.`).join(
    ' ',
  );

const kinds: ['embedded' | 'weaviate', typeof test][] = [
  ['embedded', test],
  ['weaviate', missing ? (test.skip as typeof test) : test],
];
if (missing) process.stderr.write(`the tests on weaviate are skipped: ${missing}\n`);

describe.each(kinds)('the %s index', (kind, run) => {
  let road: Road;
  let creator: TestCreator;

  beforeEach(async () => {
    if (kind === 'weaviate' && missing) return;
    road = makeRoad([kind === 'embedded' ? openEmbedded() : openWeaviate()]);
    creator = await addCreator(database);
  });

  async function addReady(content: string, owner = creator): Promise<SourceVersion> {
    const source = await addSource(database, owner, content);
    expect(await road.ingest(source)).toBe('ready');
    return source;
  }
  const ask = (query: string, limit = 5, owner = creator) => road.search({ ...owner, query, limit });

  run('finds the passage that is about the question, with its place and its nearness', async () => {
    const bread = await addReady(about('sourdough bread'));
    await addReady(about('electric guitars'));
    const answer = await ask('Which remark concerns sourdough bread?');
    expect(answer).toMatchObject({ index: kind, sources_searched: 2 });
    const [first] = answer.passages;
    expect(first?.source_id).toBe(bread.source_id);
    expect(first?.url).toBe(`http://localhost:3000/watch/${bread.source_id}`);
    expect(first?.similarity).toBeGreaterThan(0.5);
    expect(first?.segments[0]).toMatchObject({ offset: 0, text: first?.text });
    const scores = answer.passages.map(({ score }) => score);
    expect(scores.toSorted((a, b) => b - a)).toEqual(scores);
    for (const score of scores) expect(score >= 0 && score <= 1).toBe(true);
  });

  run('gives at most as many as asked for, and none twice', async () => {
    await addReady(about('sourdough bread', 80));
    const { passages } = await ask('sourdough bread', 3);
    expect(new Set(passages.map(({ passage_id }) => passage_id)).size).toBe(3);
  });

  run('does not fill the first places from one source when another is as near', async () => {
    await addReady(about('sourdough bread', 80));
    const second = await addReady(about('sourdough bread', 10).replaceAll('Remark', 'A later word'));
    const { passages } = await ask('sourdough bread', 3);
    expect(passages.map(({ source_id }) => source_id)).toContain(second.source_id);
  });

  run('gives what several sources say in the same words once', async () => {
    const words = about('sourdough bread', 9);
    await addReady(words);
    await addReady(`${words} Thanks.`);
    await addReady(about('electric guitars'));
    const { passages } = await ask('sourdough bread', 5);
    expect(passages.filter(({ text }) => text.includes('Remark 3 concerns sourdough'))).toHaveLength(1);
    expect(passages.some(({ text }) => text.includes('guitars'))).toBe(true);
  });

  run('puts what the fan is watching first, where it is one of the creator’s', async () => {
    await addReady(about('sourdough bread', 40));
    const words = `${about('sourdough bread', 9)} ${about('electric guitars', 40)}`;
    const watched = await addReady(words.replaceAll('Remark', 'So'));
    await database.query('UPDATE sources SET url = $2, title = $3 WHERE id = $1', [
      watched.source_id,
      'https://www.youtube.com/watch?v=dQw4w9WgXcQ',
      'Loud and soft',
    ]);
    await database.query('UPDATE creators SET knowledge_version = knowledge_version + 1 WHERE id = $1', [
      creator.creator_id,
    ]);
    const at = (video_url: string, query = 'sourdough bread') =>
      road.search({ ...creator, query, limit: 5, video_url });
    const found = await at('https://youtu.be/dQw4w9WgXcQ?t=12');
    expect(found.watching).toEqual({ source_id: watched.source_id, title: 'Loud and soft' });
    expect(found.passages[0]?.source_id).toBe(watched.source_id);
    expect(found.passages[0]?.text).toContain('sourdough');
    const pointing = await at(`http://localhost:3000/watch/${watched.source_id}?t=3`, 'what does this mean?');
    expect(pointing.passages.map(({ source_id }) => source_id)).toEqual(pointing.passages.map(() => watched.source_id));
    const elsewhere = await at('https://youtu.be/aaaaaaaaaaa');
    expect(elsewhere.watching).toBeNull();
    expect(elsewhere.passages[0]?.source_id).not.toBe(watched.source_id);
  });

  run('puts the passage that holds the quoted words first', async () => {
    await addReady(about('sourdough bread', 40));
    const quoted = await addReady(
      `${about('electric guitars', 6)} The oven purred like a cat. ${about('electric guitars', 6)}`,
    );
    const { passages } = await ask('who said "the oven purred like a cat" about sourdough bread');
    expect(passages[0]?.source_id).toBe(quoted.source_id);
  });

  run('finds by words alone, and says so, when the question cannot be embedded', async () => {
    const bread = await addReady(about('sourdough bread'));
    await addReady(about('electric guitars'));
    road.embeddings.fail();
    const answer = await ask('sourdough');
    expect(answer.index).toBe('full_text');
    expect(answer.passages[0]).toMatchObject({ source_id: bread.source_id, similarity: null });
  });

  run('finds a replaced source by its new words only', async () => {
    const source = await addReady(about('sourdough bread'));
    await ask('sourdough bread');
    expect(await road.ingest(await replaceSource(database, source, about('electric guitars')))).toBe('ready');
    const { passages } = await ask('sourdough bread');
    expect(passages.length).toBeGreaterThan(0);
    for (const { text } of passages) expect(text).not.toContain('sourdough');
  });

  run('finds nothing of a deleted source, even before the index has forgotten it', async () => {
    const source = await addReady(about('sourdough bread'));
    await addReady(about('electric guitars'));
    await ask('sourdough bread');
    await deleteSource(database, source);
    const before = await ask('sourdough bread');
    for (const index of road.parts.indexes) await index.remove(source);
    const after = await ask('sourdough bread');
    for (const { passages } of [before, after]) {
      expect(passages.length).toBeGreaterThan(0);
      for (const { source_id } of passages) expect(source_id).not.toBe(source.source_id);
    }
  });

  run('shows nobody another tenant’s or another creator’s passages', async () => {
    await addReady(about('sourdough bread'));
    const [neighbour, stranger] = [await addCreator(database, creator.tenant_id), await addCreator(database)];
    const own = await addReady(about('electric guitars'), neighbour);
    const theirs = await addReady(about('rare orchids'), stranger);
    const sourcesOf = async (owner: TestCreator) =>
      new Set((await ask('sourdough bread', 50, owner)).passages.map(({ source_id }) => source_id));
    expect(await sourcesOf(neighbour)).toEqual(new Set([own.source_id]));
    expect(await sourcesOf(stranger)).toEqual(new Set([theirs.source_id]));
    // Another tenant with this creator's id, and a tenant nobody has.
    expect(await ask('sourdough bread', 5, { ...creator, tenant_id: stranger.tenant_id })).toMatchObject({
      passages: [],
      sources_searched: 0,
    });
    expect(await ask('sourdough bread', 5, { ...creator, tenant_id: makeId() })).toMatchObject({ passages: [] });
  });

  run('is the same after it was made again from postgres', async () => {
    await addReady(about('sourdough bread'));
    await addReady(about('electric guitars'));
    const before = await ask('sourdough bread');
    for (const index of road.parts.indexes) await index.clear(creator);
    await rebuild(road.parts);
    expect(await ask('sourdough bread')).toEqual(before);
  });

  run('never mixes the vectors of two models', async () => {
    await addReady(about('sourdough bread'));
    const next = makeRoad(
      [makeEmbeddedIndex({ ...road.parts, model: 'next@1', maxBytes: 1_000_000 })],
      makeToyEmbeddings('next'),
    );
    const words = await next.search({ ...creator, query: 'sourdough bread', limit: 5 });
    expect(words.passages[0]?.similarity).toBeNull();
    expect((await rebuild(next.parts)).embedded).toBeGreaterThan(0);
    const found = await next.search({ ...creator, query: 'sourdough bread', limit: 5 });
    expect(found.passages[0]?.similarity).toBeGreaterThan(0);
  });
});

const withWeaviate = missing ? describe.skip : describe;
withWeaviate('beside a Weaviate that fails', () => {
  test('the embedded index answers while it is frozen, and the breaker spares it', async () => {
    const weaviate = openWeaviate(200);
    const road = makeRoad([weaviate, openEmbedded()]);
    const creator = await addCreator(database);
    await road.ingest(await addSource(database, creator, about('sourdough bread')));
    const ask = () => road.search({ ...creator, query: 'sourdough bread', limit: 5 });
    expect((await ask()).index).toBe('weaviate');
    weaviateServer?.freeze();
    try {
      for (let at = 0; at < 3; at++) expect(await ask()).toMatchObject({ index: 'embedded', sources_searched: 1 });
    } finally {
      weaviateServer?.resume();
      await weaviate.close();
    }
  });

  test('both indexes give the same passages in the same order, by the same figures', async () => {
    const weaviate = openWeaviate();
    const both = makeRoad([weaviate, openEmbedded()]);
    const creator = await addCreator(database);
    // Another creator of the tenant, whose words must not count.
    await both.ingest(
      await addSource(database, await addCreator(database, creator.tenant_id), about('sourdough bread', 90)),
    );
    for (const subject of ['sourdough bread', 'electric guitars', 'sourdough starters and guitars', 'bread and rivers'])
      await both.ingest(await addSource(database, creator, about(subject, 30).replaceAll('nothing', subject)));
    for (const query of ['sourdough bread', 'who plays guitars near rivers?', '"remark 7 concerns"', 'starters']) {
      const answers = [];
      for (const index of [weaviate, openEmbedded()])
        answers.push(await makeRoad([index]).search({ ...creator, query, limit: 8 }));
      const [there, here] = answers;
      expect([there?.index, here?.index]).toEqual(['weaviate', 'embedded']);
      expect(there?.passages.map(({ passage_id }) => passage_id)).toEqual(
        here?.passages.map(({ passage_id }) => passage_id),
      );
      for (const [at, { score }] of (here?.passages ?? []).entries())
        expect(there?.passages[at]?.score).toBeCloseTo(score, 3);
    }
    await weaviate.close();
  });

  test('a class of an earlier layout is gone once the new one holds everything', async () => {
    const weaviate = openWeaviate();
    const client = connectWeaviate(weaviateServer?.url ?? '');
    const [older] = olderClassNames(model);
    await client.schema.classCreator().withClass({ class: older, vectorizer: 'none' }).do();
    const put = (source: Parameters<typeof putSource>[1]) =>
      putSource({ ...makeRoad([]).parts, indexes: [weaviate] }, source);
    await reconcile({ store: weaviate.store, passages: makePassageRepository(connections.engine), put });
    expect(await client.schema.exists(older ?? '')).toBe(false);
    await weaviate.close();
  });

  test('what it missed is put there, and what is gone is removed', async () => {
    const weaviate = openWeaviate();
    const road = makeRoad([openEmbedded()]);
    const creator = await addCreator(database);
    const kept = await addSource(database, creator, about('sourdough bread'));
    await road.ingest(kept);
    const gone = await addSource(database, creator, about('electric guitars'));
    await road.ingest(gone);
    const put = (source: Parameters<typeof putSource>[1]) => putSource({ ...road.parts, indexes: [weaviate] }, source);
    const settle = () => reconcile({ store: weaviate.store, passages: road.parts.passages, put });
    const stored = async () => (await weaviate.store.sets(creator.tenant_id)).map(({ source_id }) => source_id);
    const knowledge = async () =>
      (
        await database.query<{ knowledge_version: number }>('SELECT knowledge_version FROM creators WHERE id = $1', [
          creator.creator_id,
        ])
      )[0]?.knowledge_version ?? 0;
    const before = await knowledge();
    await settle();
    // What was found while it was behind is not used from a cache any more.
    expect(await knowledge()).toBe(before + 2);
    expect((await stored()).toSorted()).toEqual([kept.source_id, gone.source_id].toSorted());
    await deleteSource(database, gone);
    expect((await settle()).removed).toBe(1);
    expect(await stored()).toEqual([kept.source_id]);
    const settled = await knowledge();
    expect(await settle()).toEqual({ put: 0, removed: 0 });
    expect(await knowledge()).toBe(settled);
    await weaviate.close();
  });
});
