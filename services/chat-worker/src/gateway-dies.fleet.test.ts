import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { makeId, makeLogger } from '@sidestage/runtime';
import { makeApiKey, makeApiKeyRepository, makeDatabase, makeTenantRepository } from '@sidestage/store';
import { makeTestDatabase, startFleet, type TestDatabase, type TestFleet, waitFor } from '@sidestage/testkit';

describe('a gateway that dies between commit and enqueue', () => {
  let database: TestDatabase;
  let fleet: TestFleet;
  let key: string;

  beforeAll(async () => {
    database = await makeTestDatabase();
    const logger = makeLogger({ service: 'test', level: 'CRITICAL' });
    const store = makeDatabase({ url: database.url, max: 2, idleMs: 1_000, waitMs: 5_000, logger });
    const { id: tenant_id } = await makeTenantRepository(store.engine).create({ name: 'one' });
    const made = makeApiKey();
    key = made.key;
    const { hash, prefix } = made;
    await makeApiKeyRepository(store).create({ tenant_id, name: 'key', tier: 'premium', hash, prefix, actor: 'test' });
    await store.close();
    await database.query(`INSERT INTO creators (id, tenant_id, slug, name) VALUES ($1, $2, 'ada', 'Ada')`, [
      makeId(),
      tenant_id,
    ]);
    fleet = await startFleet({ database, model: 'builtin', retrieval: false });
  }, 120_000);
  afterAll(async () => {
    await fleet?.stop();
    await database?.drop();
  });

  test('its turns are processed all the same', async () => {
    const [gateway] = fleet.gateways;
    const send = (message: string) =>
      fetch(`${gateway?.url}/api/v1/chat`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${key}`,
          'content-type': 'application/json',
          prefer: 'respond-async',
        },
        body: JSON.stringify({ creator_id: 'ada', message }),
      });
    // The queue answers nothing, so the gateway commits, says 202 and cannot enqueue before it is killed.
    fleet.redis.freeze();
    const answers = await Promise.all(['Hello?', 'Anybody there?', 'Still there?'].map(send));
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202]);
    await gateway?.kill();
    fleet.redis.resume();
    await waitFor(
      async () =>
        (await database.query('SELECT FROM turns WHERE outcome = $1', ['completed'])).length === answers.length,
      { timeoutMs: 60_000, what: 'the three turns to be answered' },
    );
    expect(await database.query('SELECT FROM turns')).toHaveLength(3);
  }, 120_000);
});
