import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { makeLogger } from '@sidestage/runtime';
import { makeApiKey, makeApiKeyRepository, makeDatabase, makeTenantRepository } from '@sidestage/store';
import {
  type FleetProcess,
  makeTestDatabase,
  startFleet,
  type TestDatabase,
  type TestFleet,
  waitFor,
} from '@sidestage/testkit';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const requestId = 'a-fans-own-request';

describe('what a request is known by', () => {
  let database: TestDatabase;
  let fleet: TestFleet;
  let key: string;

  beforeAll(async () => {
    database = await makeTestDatabase();
    const logger = makeLogger({ service: 'test', level: 'CRITICAL' });
    const store = makeDatabase({ url: database.url, max: 2, idleMs: 1_000, waitMs: 5_000, logger });
    const { id: tenant_id } = await makeTenantRepository(store.engine).create({ name: 'Traced' });
    const made = makeApiKey();
    key = made.key;
    const { hash, prefix } = made;
    await makeApiKeyRepository(store).create({ tenant_id, name: 'key', tier: 'premium', hash, prefix, actor: 'test' });
    await store.close();
    fleet = await startFleet({ database, env: { LOG_LEVEL: 'DEBUG' } });
  }, 120_000);
  afterAll(async () => {
    await fleet?.stop();
    await database?.drop();
  });

  const call = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    fetch(`${fleet.gateways[0]?.url}/api/v1${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
  /** Messages of a process's log lines that name both the request and its trace. */
  const lines = (process: FleetProcess | undefined) =>
    (process?.log() ?? '')
      .split('\n')
      .filter((line) => line.includes(`"request_id":"${requestId}"`) && line.includes(`"trace_id":"${traceId}"`))
      .map((line): unknown => JSON.parse(line).msg);

  test('its own id and its trace stand in the logs of gateway, worker and retrieval', async () => {
    const created = await call('/creators', { slug: 'ada', name: 'Ada' });
    const { id } = (await created.json()) as { id: string };
    const traceparent = `00-${traceId}-00f067aa0ba902b7-01`;
    const answer = await call(
      '/chat',
      { creator_id: id, message: 'How long does bread rest?' },
      { traceparent, 'x-request-id': requestId },
    );
    expect(answer.status).toBe(200);
    const [turn] = await database.query('SELECT request_id, traceparent FROM turns');
    expect(turn).toEqual({ request_id: requestId, traceparent });
    await waitFor(() => lines(fleet.gateways[0]).includes('request'), { what: 'the gateway’s line' });
    await waitFor(() => lines(fleet.retrieval).includes('request'), { what: 'retrieval’s line' });
    expect(lines(fleet.workers[0])).toEqual(expect.arrayContaining(['turn claimed', 'turn ended']));
  });
});
