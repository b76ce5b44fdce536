import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { RetrievedPassage } from '@sidestage/contracts';
import { waitFor } from '@sidestage/testkit';
import { startTestGateway, type TestGateway } from '../testing/test-gateway.js';
import type { ProblemView } from '../testing/wire.js';

interface Call {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}
const passage: RetrievedPassage = {
  passage_id: 'p1',
  source_id: 's1',
  title: 'On bread',
  url: 'https://example.org/#t=2',
  text: 'Flour and water.',
  start_seconds: 2,
  end_seconds: 5,
  score: 0.9,
  source_url: 'https://example.org/',
  kind: 'podcast',
  segments: [{ text: 'Flour and water.', offset: 0 }],
  similarity: 0.7,
};
const calls: Call[] = [];
let answer: { status: number; body: unknown };
let retrieval: Server;
let gateway: TestGateway;
let creator: string;

beforeAll(async () => {
  retrieval = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url: path = '', headers } = request;
      calls.push({ method, path, headers, body: Buffer.concat(chunks).toString('utf8') });
      response.writeHead(answer.status, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify(answer.body));
    });
  });
  await new Promise<void>((resolve) => retrieval.listen(0, '127.0.0.1', resolve));
  const { port } = retrieval.address() as AddressInfo;
  gateway = await startTestGateway({ RETRIEVAL_URL: `http://127.0.0.1:${port}` });
  const made = await gateway.call<{ id: string }>('POST', '/api/v1/creators', {
    token: gateway.home.key,
    body: { name: 'Ada' },
  });
  creator = made.body.id;
});
beforeEach(() => {
  calls.length = 0;
  answer = { status: 200, body: { passages: [passage], sources_searched: 1, index: 'embedded' } };
});
afterAll(async () => {
  await gateway.close();
  retrieval.closeAllConnections();
  await new Promise((resolve) => retrieval.close(resolve));
});

const search = (body: unknown) =>
  gateway.call('POST', `/api/v1/creators/${creator}/search`, { token: gateway.home.key, body });

describe('a search', () => {
  test('asks retrieval for this tenant’s creator, with the request’s id, and shows passages without their inner parts', async () => {
    const found = await search({ query: 'bread', limit: 3 });
    expect(found.status).toBe(200);
    const { source_url, segments, similarity, kind, ...shown } = passage;
    expect(found.body).toEqual({ passages: [shown] });
    expect(calls[0]).toMatchObject({ method: 'POST', path: '/internal/search' });
    expect(calls[0]?.headers['x-request-id']).toBe(found.headers.get('x-request-id'));
    expect(calls[0]?.headers.authorization).toBe('Bearer of-this-test-only');
    expect(JSON.parse(calls[0]?.body ?? '{}')).toEqual({
      tenant_id: gateway.home.tenantId,
      creator_id: creator,
      query: 'bread',
      limit: 3,
    });
  });

  test('that is answered with something else than agreed is a 503', async () => {
    answer = { status: 200, body: { passages: 'none' } };
    const odd = await gateway.call<ProblemView>('POST', `/api/v1/creators/${creator}/search`, {
      token: gateway.home.key,
      body: { query: 'bread' },
    });
    expect({ status: odd.status, code: odd.body.code }).toEqual({ status: 503, code: 'unavailable' });
  });

  test('needs a credential', async () => {
    const path = `/api/v1/creators/${creator}/search`;
    expect((await gateway.call('POST', path, { body: { query: 'bread' } })).status).toBe(401);
    expect(calls).toEqual([]);
  });
});

describe('a deleted source', () => {
  test('is told to retrieval, whose index may be elsewhere', async () => {
    const sources = `/api/v1/creators/${creator}/sources`;
    const token = gateway.home.key;
    const { body } = await gateway.call<{ id: string }>('POST', sources, {
      token,
      body: { title: 'One', kind: 'article', format: 'text', content: 'Words.' },
    });
    await gateway.call('DELETE', `${sources}/${body.id}`, { token });
    await waitFor(() => calls.length > 0, { what: 'retrieval to be told' });
    expect(calls[0]).toMatchObject({
      method: 'DELETE',
      path: `/internal/sources/${gateway.home.tenantId}/${body.id}`,
    });
  });
});
