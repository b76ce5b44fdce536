import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { waitFor } from '@sidestage/testkit';
import { type ChatStage, makeChatStage } from '../testing/chat-stage.js';

let stage: ChatStage;
let key: { token: string };
beforeEach(async () => {
  // Few connections, so that they can all be taken.
  stage = await makeChatStage({ DB_POOL_MAX: '8', FLEET_PROCESSES: '1', DB_POOL_WAIT_MS: '500' });
  key = await stage.key('enterprise');
  expect((await stage.chat(key, {})).status).toBe(200);
});
afterEach(() => stage.close());

const later = { headers: { Prefer: 'respond-async' } };
const messages = async () => (await stage.turns()).map(({ message }) => message);

/** Postgres refuses every new turn with this state, as it does when it cannot write. */
async function refuseWrites(state: string): Promise<void> {
  await stage.gateway.database.query(
    `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no' USING ERRCODE = '${state}'; END $$`,
  );
  await stage.gateway.database.query(
    'CREATE TRIGGER refuse BEFORE INSERT ON turns FOR EACH ROW EXECUTE FUNCTION refuse()',
  );
}
const takeWrites = () => stage.gateway.database.query('DROP FUNCTION refuse CASCADE');
const health = async (which: 'live' | 'ready') => stage.gateway.call('GET', `/health/${which}`);

describe('Postgres slow', () => {
  test('or locked, and every connection taken: all get 503 with Retry-After within a bound, none a false 202', async () => {
    const { database } = stage.gateway;
    const lock = database
      .query(`DO $$ BEGIN LOCK TABLE turns IN ACCESS EXCLUSIVE MODE; PERFORM pg_sleep(60); END $$`)
      .catch(() => undefined);
    const locked = `SELECT FROM pg_locks WHERE relation = 'turns'::regclass AND mode = 'AccessExclusiveLock' AND granted`;
    await waitFor(async () => (await database.query(locked)).length === 1, { what: 'the table to be locked' });
    const begun = performance.now();
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, index) => stage.chat(key, { message: `locked ${index}` }, later)),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([503]));
    for (const { body, headers } of answers) {
      expect(body.code).toBe('unavailable');
      expect(headers.get('retry-after')).toMatch(/^[1-9]/);
    }
    expect(performance.now() - begun).toBeLessThan(30_000);
    expect((await health('live')).status).toBe(200);
    await database.cutConnections();
    await lock;
    expect(await messages()).toEqual(['hello']);
    // What was refused took nothing: the whole cap of 64 is free.
    const after = await Promise.all(Array.from({ length: 20 }, () => stage.chat(key, {}, later)));
    expect(new Set(after.map(({ status }) => status))).toEqual(new Set([202]));
  }, 60_000);
});

describe('Postgres backend killed', () => {
  test('while turns are accepted, again and again: the process survives, and each 202 is one row', async () => {
    const accepted: string[] = [];
    let cutting = true;
    const cutter = (async () => {
      let cut = 0;
      while (cutting) {
        cut += await stage.gateway.database.cutConnections();
        await new Promise((resolve) => setTimeout(resolve, 30));
      }
      return cut;
    })();
    for (let round = 0; round < 15; round++) {
      const answers = await Promise.all(
        Array.from({ length: 4 }, (_, index) => stage.chat(key, { message: `${round} ${index}` }, later)),
      );
      for (const { status, body } of answers) {
        expect([202, 429, 503]).toContain(status);
        if (status === 202) accepted.push(String(body.message_id));
      }
    }
    cutting = false;
    expect(await cutter).toBeGreaterThan(20);
    const rows = (await stage.turns()).map(({ id }) => id);
    expect(new Set(accepted).size).toBe(accepted.length);
    expect(accepted.filter((id) => !rows.includes(id))).toEqual([]);
    expect(accepted.length).toBeGreaterThan(0);
    await waitFor(async () => (await stage.chat(key, {})).status === 200, { what: 'the gateway to answer again' });
  }, 60_000);
});

describe('disk full', () => {
  test('the gateway is not ready, alive, and accepts nothing; ready again once there is room', async () => {
    await refuseWrites('53100');
    const refused = await stage.chat(key, { message: 'no room' });
    expect([refused.status, refused.body.code]).toEqual([503, 'unavailable']);
    expect(refused.headers.get('retry-after')).toMatch(/^[1-9]/);
    const ready = await health('ready');
    expect([ready.status, ready.body.detail]).toEqual([503, 'postgres has no room on its disk']);
    expect((await health('live')).status).toBe(200);
    await takeWrites();
    await waitFor(async () => (await health('ready')).status === 200, { what: 'the gateway to be ready' });
    expect((await stage.chat(key, {})).status).toBe(200);
    expect(await messages()).not.toContain('no room');
  });
});

describe('Postgres read-only', () => {
  test('as after a failover to a replica: not ready, alive, nothing accepted; ready again with the primary', async () => {
    const { database } = stage.gateway;
    await database.query(`ALTER DATABASE ${database.name} SET default_transaction_read_only = on`);
    await database.cutConnections();
    await waitFor(async () => (await health('ready')).body.detail === 'postgres is read-only', {
      what: 'the gateway to say why it is not ready',
    });
    expect((await health('live')).status).toBe(200);
    const refused = await stage.chat(key, { message: 'never kept' });
    expect([refused.status, refused.body.code]).toEqual([503, 'unavailable']);
    await database.query(
      `BEGIN READ WRITE; ALTER DATABASE ${database.name} RESET default_transaction_read_only; COMMIT`,
    );
    await database.cutConnections();
    await waitFor(async () => (await health('ready')).status === 200, { what: 'the gateway to be ready' });
    expect((await stage.chat(key, {})).status).toBe(200);
    expect(await messages()).not.toContain('never kept');
  });
});
