import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { problemSchema, retrievalSearchAnswer } from '@sidestage/contracts';
import { makeId } from '@sidestage/runtime';
import {
  expectNoConnections,
  makeTestDatabase,
  makeTestRedis,
  type TestDatabase,
  type TestRedis,
  waitFor,
} from '@sidestage/testkit';
import { readConfig } from '../config.js';
import { type RunningRetrieval, runRetrieval } from '../run.js';
import { addCreator, addSource, stateOf, type TestCreator } from '../testing/sources.js';
import { makeToyEmbeddings } from '../testing/toy-embeddings.js';

const token = 'a-token-for-tests';
let database: TestDatabase;
let redis: TestRedis;
let service: RunningRetrieval;
let creator: TestCreator;

beforeAll(async () => {
  [database, redis] = await Promise.all([makeTestDatabase(), makeTestRedis()]);
  const config = readConfig({
    DATABASE_URL: database.url,
    REDIS_URL: redis.url,
    RETRIEVAL_TOKEN: token,
    LOG_LEVEL: 'FATAL',
  });
  service = await runRetrieval({ ...config, PORT: 0 }, { embeddings: makeToyEmbeddings() });
  creator = await addCreator(database);
});
afterEach(() => redis.resume());
afterAll(async () => {
  await service?.lifecycle.close();
  if (service) await expectNoConnections({ database });
  await Promise.all([database?.drop(), redis?.stop()]);
});

function call(
  method: string,
  path: string,
  body?: string,
  headers: Record<string, string> = { authorization: `Bearer ${token}` },
): Promise<Response> {
  return fetch(`http://127.0.0.1:${service.port}${path}`, {
    method,
    headers: { 'content-type': 'application/json', 'x-request-id': 'test-1', ...headers },
    ...(body !== undefined && { body }),
  });
}
const searchFor = (body: unknown) => call('POST', '/internal/search', JSON.stringify(body));

describe('internal routes', () => {
  test('ingest and find what the gateway stored', async () => {
    const source = await addSource(
      database,
      creator,
      '# Bread\n\nRye flour drinks more water than wheat flour does.',
      'markdown',
    );
    await database.query(`UPDATE sources SET updated_at = now() - interval '1 hour' WHERE id = $1`, [source.source_id]);
    await waitFor(async () => (await stateOf(database, source))?.status === 'ready', { timeoutMs: 20_000 });
    const response = await searchFor({ ...creator, query: 'how much water for rye flour', limit: 3 });
    expect(response.status).toBe(200);
    expect(response.headers.get('x-request-id')).toBe('test-1');
    const answer = retrievalSearchAnswer.parse(await response.json());
    expect(answer).toMatchObject({ index: 'embedded', sources_searched: 1 });
    expect(answer.passages[0]).toMatchObject({
      text: 'Bread\n\nRye flour drinks more water than wheat flour does.',
      kind: 'article',
      url: `http://localhost:3000/watch/${source.source_id}`,
    });
  });

  test('answer an unknown creator with nothing', async () => {
    const response = await searchFor({ tenant_id: makeId(), creator_id: makeId(), query: 'bread', limit: 3 });
    expect(await response.json()).toEqual({
      passages: [],
      sources_searched: 0,
      complete: true,
      watching: null,
      index: 'embedded',
    });
  });

  test.each([
    ['no token', {}],
    ['a wrong token', { authorization: 'Bearer a-token-for-testz' }],
    ['a token of another length', { authorization: 'Bearer a' }],
    ['another scheme', { authorization: `Basic ${token}` }],
  ])('refuse %s', async (_, headers) => {
    for (const [method, path] of [
      ['POST', '/internal/search'],
      ['POST', '/internal/rebuild'],
      ['DELETE', `/internal/sources/${makeId()}/${makeId()}`],
    ] as const) {
      const response = await call(method, path, method === 'POST' ? '{}' : undefined, headers);
      expect(response.status).toBe(401);
      expect(problemSchema.parse(await response.json()).code).toBe('unauthenticated');
    }
  });

  test.each([
    ['{', 400, undefined],
    ['[]', 422, ''],
    ['{"tenant_id":"t","creator_id":"c","query":"","limit":5}', 422, 'query'],
    ['{"tenant_id":"t","creator_id":"c","query":"a\\u0000b","limit":5}', 422, 'query'],
    ['{"tenant_id":"t","creator_id":"c","query":"\\ud800","limit":5}', 422, 'query'],
    ['{"tenant_id":"t","creator_id":"c","query":"x","limit":51}', 422, 'limit'],
    ['{"tenant_id":1,"creator_id":"c","query":"x","limit":5}', 422, 'tenant_id'],
    ['{"tenant_id":"t","creator_id":"c","query":"x","limit":5}', 404, undefined],
    [JSON.stringify({ query: 'x'.repeat(70_000) }), 413, undefined],
  ])('name what is wrong with %#', async (body, status, path) => {
    const response = await call('POST', '/internal/search', body);
    expect(response.status).toBe(status);
    const problem = problemSchema.parse(await response.json());
    expect(problem.request_id).toBe('test-1');
    if (path !== undefined) expect(problem.errors?.[0]?.path).toBe(path);
  });

  test('forget a source, known or not, and start a rebuild', async () => {
    expect((await call('DELETE', `/internal/sources/${creator.tenant_id}/${makeId()}`)).status).toBe(204);
    expect((await call('DELETE', '/internal/sources/x/y')).status).toBe(204);
    expect((await call('POST', '/internal/rebuild')).status).toBe(202);
  });
});

describe('health', () => {
  test('tells of every dependency, and the metrics have the queue', async () => {
    const detailed = await (await call('GET', '/health/detailed')).json();
    expect(detailed).toMatchObject({
      status: 'ok',
      service: 'retrieval',
      dependencies: { postgres: { status: 'ok' }, redis: { status: 'ok' }, weaviate: { status: 'unused' } },
    });
    expect(await (await call('GET', '/metrics')).text()).toContain('ai_chat_queue_depth{queue="ingest"');
  });

  test('is degraded, and search goes on, while Redis is frozen', async () => {
    redis.freeze();
    expect(await (await call('GET', '/health')).json()).toMatchObject({ status: 'degraded' });
    expect((await call('GET', '/health/ready')).status).toBe(200);
    expect((await searchFor({ ...creator, query: 'rye flour', limit: 1 })).status).toBe(200);
  });
});
