import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { inTransaction, isRetryable, makeId, makeLogger, type PgClient, withRetry } from '@sidestage/runtime';
import { makeTestDatabase, type TestDatabase } from '@sidestage/testkit';
import { type Database, makeDatabase } from './database.js';
import { makeWriteHealth } from './write-health.js';

let testDatabase: TestDatabase;
let database: Database;
const ids = [makeId(), makeId()];

beforeAll(async () => {
  testDatabase = await makeTestDatabase();
  const logger = makeLogger({ service: 'test', level: 'CRITICAL' });
  database = makeDatabase({ url: testDatabase.url, max: 8, idleMs: 10_000, waitMs: 2_000, logger });
  for (const id of ids) await testDatabase.query('INSERT INTO tenants (id, name) VALUES ($1, $2)', [id, 'before']);
});
afterAll(async () => {
  await database.close();
  await testDatabase.drop();
});

const rename = (client: PgClient, id: string | undefined, name: string) =>
  client.query('UPDATE tenants SET name = $2 WHERE id = $1', [id, name]);
const names = () => testDatabase.query<{ name: string }>('SELECT name FROM tenants ORDER BY id');

describe('a backend killed', () => {
  test('under a connection in use, in the middle of a transaction: the process lives, nothing is half written, a retry writes all', async () => {
    let tries = 0;
    await withRetry(() =>
      inTransaction(database.engine, async (client) => {
        tries += 1;
        await rename(client, ids[0], `try ${tries}`);
        if (tries === 1) {
          const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
          await testDatabase.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid]);
        }
        await rename(client, ids[1], `try ${tries}`);
      }),
    );
    expect(tries).toBe(2);
    expect(await names()).toEqual([{ name: 'try 2' }, { name: 'try 2' }]);
    // The broken connection did not go back to the pool.
    for (let query = 0; query < 8; query++) await database.engine.query('SELECT 1');
  });
});

describe('a deadlock', () => {
  test('of two transactions: Postgres ends one with 40P01, it is tried again, and both are written', async () => {
    const states: unknown[] = [];
    let begun = 0;
    let bothBegan = () => {};
    const both = new Promise<void>((resolve) => {
      bothBegan = resolve;
    });
    const cross = (first: string | undefined, second: string | undefined, name: string) =>
      withRetry(async () => {
        try {
          await inTransaction(database.engine, async (client) => {
            await rename(client, first, name);
            begun += 1;
            if (begun === 2) bothBegan();
            await both;
            await rename(client, second, name);
          });
        } catch (error) {
          states.push(error instanceof Error && 'code' in error && error.code);
          throw error;
        }
      });
    await Promise.all([cross(ids[0], ids[1], 'one way'), cross(ids[1], ids[0], 'the other')]);
    expect(states).toEqual(['40P01']);
    const [first, second] = await names();
    expect(first).toEqual(second);
  });
});

describe('a statement is tried again', () => {
  test.each([
    ['57P01', true],
    ['57P02', true],
    ['57P03', true],
    ['08000', true],
    ['08006', true],
    ['40001', true],
    ['40P01', true],
    ['53300', true],
    ['23505', false],
    ['42601', false],
    ['57014', false],
  ])('after %s: %s', (code, expected) => {
    expect(isRetryable(Object.assign(new Error('no'), { code }))).toBe(expected);
  });

  test('only so often: then its error is the caller’s', async () => {
    let tries = 0;
    const lost = Object.assign(new Error('gone'), { code: '08006' });
    const attempt = withRetry(
      async () => {
        tries += 1;
        throw lost;
      },
      { attempts: 3, firstMs: 1 },
    );
    await expect(attempt).rejects.toBe(lost);
    expect(tries).toBe(3);
  });
});

describe('whether Postgres takes writes', () => {
  const refusal = (code: string) => Object.assign(new Error('refused'), { code });

  test.each([
    ['53100', 'postgres has no room on its disk'],
    ['25006', 'postgres is read-only'],
  ])('a refusal with %s speaks for a while: %s', async (code, reason) => {
    const writes = makeWriteHealth(database.engine);
    expect(await writes.check()).toBe(true);
    writes.note(refusal(code));
    expect(await writes.check()).toBe(reason);
  });

  test('says nothing of a statement that was wrong', async () => {
    const writes = makeWriteHealth(database.engine);
    writes.note(refusal('23505'));
    writes.note('no error at all');
    expect(await writes.check()).toBe(true);
  });
});
