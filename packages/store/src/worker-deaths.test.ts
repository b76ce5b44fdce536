import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { makeId, makeLogger } from '@sidestage/runtime';
import { makeTestDatabase, type TestDatabase } from '@sidestage/testkit';
import { type Database, makeDatabase } from './database.js';
import { makeWorkerDeathRepository, type WorkerDeathRepository } from './worker-deaths.js';

let testDatabase: TestDatabase;
let database: Database;
let deaths: WorkerDeathRepository;
const [tenantId, creatorId, conversationId, turnId] = [makeId(), makeId(), makeId(), makeId()];

beforeAll(async () => {
  testDatabase = await makeTestDatabase();
  const logger = makeLogger({ service: 'test', level: 'CRITICAL' });
  database = makeDatabase({ url: testDatabase.url, max: 2, idleMs: 10_000, waitMs: 2_000, logger });
  deaths = makeWorkerDeathRepository(database.engine);
  const { query } = testDatabase;
  await query(`INSERT INTO tenants (id, name) VALUES ($1, 'one')`, [tenantId]);
  await query(`INSERT INTO creators (id, tenant_id, slug, name) VALUES ($1, $2, 'ada', 'Ada')`, [creatorId, tenantId]);
  await query(
    `INSERT INTO conversations (id, tenant_id, creator_id, principal, title) VALUES ($1, $2, $3, 'user:1', 'x')`,
    [conversationId, tenantId, creatorId],
  );
  await query(
    `INSERT INTO turns (id, tenant_id, conversation_id, creator_id, generation_id, principal, tier, ordinal, state, alone, message, deadline_at)
     VALUES ($1, $2, $3, $4, $1, 'user:1', 'free', 1, 'running', true, 'x', now())`,
    [turnId, tenantId, conversationId, creatorId],
  );
});
beforeEach(() => testDatabase.query('DELETE FROM worker_deaths'));
afterAll(async () => {
  await database.close();
  await testDatabase.drop();
});

const turn = (fields: { id?: string; crashes?: number; acceptedAgoMs?: number } = {}) => ({
  id: fields.id ?? makeId(),
  crashes: fields.crashes ?? 0,
  accepted_at: new Date(Date.now() - (fields.acceptedAgoMs ?? 0)),
});

test('a death is on record once, and beside a turn unless it was one of the turn’s own', async () => {
  for (const worker of ['a', 'a', 'b', 'c']) await deaths.note(worker, [makeId()]);
  expect(await deaths.beside(turn())).toBe(3);
  expect(await deaths.beside(turn({ crashes: 2 }))).toBe(1);
  // A death that nobody noted, as of a frozen worker, makes no debt.
  expect(await deaths.beside(turn({ crashes: 5 }))).toBe(0);
});

test('a death while a suspect ran alone is that one’s and beside no other', async () => {
  await deaths.note('a', [turnId, makeId()]);
  await deaths.note('b', [makeId()]);
  expect(await deaths.beside(turn())).toBe(1);
  expect(await deaths.beside(turn({ id: turnId, crashes: 1 }))).toBe(1);
});

test('what was longer ago than a minute before the turn does not count', async () => {
  await deaths.note('a', []);
  await testDatabase.query(`UPDATE worker_deaths SET at = now() - interval '90 seconds'`);
  expect(await deaths.beside(turn())).toBe(0);
  expect(await deaths.beside(turn({ acceptedAgoMs: 40_000 }))).toBe(1);
});
