import { expect, test } from '@jest/globals';
import { makeLogger, makeMetrics } from '@sidestage/runtime';
import type { IndexAnswer, PassageIndex } from '../index/passage-index.js';
import { makeToyEmbeddings } from '../testing/toy-embeddings.js';
import { makeSearch } from './search-passages.js';

const request = { tenant_id: 't', creator_id: 'c', query: 'how much water', limit: 3 };

function makeIndex(kind: PassageIndex['kind'], answer: IndexAnswer | Error): PassageIndex {
  const nothing = async () => undefined;
  return {
    kind,
    search: async () => {
      if (answer instanceof Error) throw answer;
      return answer;
    },
    put: nothing,
    remove: nothing,
    clear: nothing,
    close: nothing,
  };
}

const searchOver = (...indexes: PassageIndex[]) =>
  makeSearch({
    passages: {
      scope: async () => ({ knowledge_version: 4, sources_ready: 3, lexemes: ['water'] }),
      byIds: async () => [],
      watchable: async () => [],
    },
    embeddings: makeToyEmbeddings(),
    indexes,
    publicWebUrl: 'http://localhost:3000',
    logger: makeLogger({ service: 'test', level: 'FATAL' }),
    metrics: makeMetrics('test'),
  })(request);

test('an answer that left ready sources out says so, and counts only those it looked through', async () => {
  expect(await searchOver(makeIndex('embedded', { hits: [], missing: 1 }))).toMatchObject({
    complete: false,
    sources_searched: 2,
  });
  expect(await searchOver(makeIndex('embedded', { hits: [], missing: 0 }))).toMatchObject({
    complete: true,
    sources_searched: 3,
  });
});

test('the next index answers when one cannot, and the last one’s failure is the search’s', async () => {
  const behind = makeIndex('weaviate', new Error('being brought up to date'));
  const answer = await searchOver(behind, makeIndex('embedded', { hits: [], missing: 0 }));
  expect(answer).toMatchObject({ index: 'embedded', complete: true });
  await expect(searchOver(behind, makeIndex('embedded', new Error('postgres is away')))).rejects.toThrow(
    'postgres is away',
  );
});
