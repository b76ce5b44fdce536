import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from '@jest/globals';
import { makeBreaker, makeLogger, makeMetrics } from '@sidestage/runtime';
import { passages } from '../test-support/fake-retrieval.js';
import { makeRetrievalClient } from './retrieval-client.js';

const logger = makeLogger({ service: 'test', level: 'FATAL' });
const query = { tenant_id: 't', creator_id: 'c', query: 'rest', limit: 5 };
const trace = { requestId: null, traceparent: null };

test('a retrieval service that restarts is waited for within the deadline; one that stays away costs no more than that', async () => {
  const server = createServer((_request, response) => {
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify({ passages, sources_searched: 1, index: 'embedded' }));
  });
  const listen = (port: number) => new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  await listen(0);
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  const breaker = makeBreaker({
    name: 'retrieval',
    errorPercent: 50,
    resetMs: 60_000,
    logger,
    metrics: makeMetrics('test'),
  });
  const client = (timeoutMs: number) =>
    makeRetrievalClient({ url: `http://127.0.0.1:${port}`, token: 'token', timeoutMs, breaker, logger });
  try {
    expect(await client(300).search(query, trace, new AbortController().signal)).toBeNull();
    const found = client(20_000).search(query, trace, new AbortController().signal);
    await new Promise((resolve) => setTimeout(resolve, 500));
    await listen(port);
    expect((await found)?.passages).toHaveLength(passages.length);
  } finally {
    breaker.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});
