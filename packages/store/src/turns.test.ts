import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { makeId, makeLogger } from '@sidestage/runtime';
import { makeTestDatabase, type TestDatabase } from '@sidestage/testkit';
import { makeTurnAcceptor, type NewTurn } from './accept-turns.js';
import { type Database, makeDatabase } from './database.js';
import { makeHousekeeping } from './housekeeping.js';
import { makeTurnRunRepository, makeTurnSweepRepository } from './run-turns.js';
import { makeTurnSettler, type Settlement } from './settle-turns.js';
import type { TurnRow } from './turn-rows.js';

let testDatabase: TestDatabase;
let database: Database;
const tenantId = makeId();
const otherTenantId = makeId();
const creatorId = makeId();

beforeAll(async () => {
  testDatabase = await makeTestDatabase();
  const logger = makeLogger({ service: 'test', level: 'CRITICAL' });
  database = makeDatabase({ url: testDatabase.url, max: 8, idleMs: 10_000, waitMs: 2_000, logger });
  await testDatabase.query('INSERT INTO tenants (id, name) VALUES ($1, $2), ($3, $4)', [
    tenantId,
    'one',
    otherTenantId,
    'two',
  ]);
  await testDatabase.query(`INSERT INTO creators (id, tenant_id, slug, name) VALUES ($1, $2, 'ada', 'Ada')`, [
    creatorId,
    tenantId,
  ]);
});
afterAll(async () => {
  await database.close();
  await testDatabase.drop();
});

function newTurn(fields: Partial<NewTurn> = {}): NewTurn {
  return {
    turn_id: makeId(),
    generation_id: makeId(),
    tenant_id: tenantId,
    conversation_id: fields.conversation_id ?? makeId(),
    new_conversation: fields.conversation_id === undefined,
    title: 'title',
    creator_id: creatorId,
    principal: 'user:1',
    end_user_id: '',
    tier: 'free',
    message: 'hello',
    video_url: null,
    idempotency_key: null,
    request_hash: null,
    request_id: null,
    traceparent: null,
    deadline_ms: 60_000,
    ...fields,
  };
}

const ref = (turn: NewTurn) => ({ tenant_id: turn.tenant_id, turn_id: turn.turn_id });

function settlement(turn: NewTurn, fields: Partial<Settlement> = {}): Settlement {
  return {
    tenant_id: turn.tenant_id,
    turn_id: turn.turn_id,
    conversation_id: turn.conversation_id,
    epoch: 1,
    outcome: 'completed',
    reply_text: 'hi',
    citations: [],
    grounded: false,
    finish_reason: 'stop',
    model: 'builtin/sentences',
    input_tokens: 1,
    output_tokens: 1,
    first_text_ms: 5,
    problem: null,
    ...fields,
  };
}

async function row(turn: NewTurn): Promise<TurnRow> {
  const [found] = await testDatabase.query<TurnRow & Record<string, unknown>>('SELECT * FROM turns WHERE id = $1', [
    turn.turn_id,
  ]);
  if (!found) throw new Error('no such turn');
  return found;
}

async function head(turn: NewTurn): Promise<string | null> {
  const [found] = await testDatabase.query<{ head_turn_id: string | null }>(
    'SELECT head_turn_id FROM conversations WHERE id = $1',
    [turn.conversation_id],
  );
  return found?.head_turn_id ?? null;
}

describe('accepting', () => {
  test('a first message makes its conversation and is its head', async () => {
    const turn = newTurn();
    const result = await makeTurnAcceptor(database.engine).accept(turn);
    expect(result).toMatchObject({ kind: 'accepted', state: 'offered', ordinal: 1 });
    expect(await head(turn)).toBe(turn.turn_id);
  });

  test('messages sent at once to one conversation get an order without holes, and one head', async () => {
    const acceptors = [makeTurnAcceptor(database.engine), makeTurnAcceptor(database.engine)];
    const first = newTurn();
    await acceptors[0]?.accept(first);
    const turns = Array.from({ length: 30 }, () => newTurn({ conversation_id: first.conversation_id }));
    const results = await Promise.all(turns.map((turn, index) => acceptors[index % 2]?.accept(turn)));
    expect(new Set(results.map((result) => result?.kind))).toEqual(new Set(['accepted']));
    const rows = await testDatabase.query<{ ordinal: number; state: string }>(
      'SELECT ordinal, state FROM turns WHERE conversation_id = $1 ORDER BY ordinal',
      [first.conversation_id],
    );
    expect(rows.map(({ ordinal }) => ordinal)).toEqual(Array.from({ length: 31 }, (_, index) => index + 1));
    expect(rows.map(({ state }) => state)).toEqual(['offered', ...Array.from({ length: 30 }, () => 'waiting')]);
  });

  test('an idempotency key makes one turn, also when the same key races itself', async () => {
    const acceptor = makeTurnAcceptor(database.engine);
    const second = makeTurnAcceptor(database.engine);
    const key = makeId();
    const attempts = Array.from({ length: 8 }, () => newTurn({ idempotency_key: key }));
    const results = await Promise.all(attempts.map((turn, index) => (index % 2 ? acceptor : second).accept(turn)));
    expect(results.filter((result) => result.kind === 'accepted')).toHaveLength(1);
    expect(results.filter((result) => result.kind === 'duplicate')).toHaveLength(7);
  });

  test('a key of another principal or end user is another key', async () => {
    const acceptor = makeTurnAcceptor(database.engine);
    const key = makeId();
    for (const fields of [{}, { principal: 'user:2' }, { end_user_id: 'someone' }]) {
      const result = await acceptor.accept(newTurn({ idempotency_key: key, ...fields }));
      expect(result.kind).toBe('accepted');
    }
  });

  test('another tenant, principal or creator cannot write into a conversation', async () => {
    const acceptor = makeTurnAcceptor(database.engine);
    const first = newTurn();
    await acceptor.accept(first);
    const conversation = { conversation_id: first.conversation_id };
    for (const fields of [{ tenant_id: otherTenantId }, { principal: 'user:2' }, { creator_id: makeId() }]) {
      const result = await acceptor.accept(newTurn({ ...conversation, ...fields }));
      expect(result.kind).toBe('no_conversation');
    }
  });

  test('one turn that cannot be stored does not spoil its batch', async () => {
    const acceptor = makeTurnAcceptor(database.engine);
    const good = Array.from({ length: 5 }, () => newTurn());
    const bad = newTurn({ creator_id: makeId() });
    const results = await Promise.allSettled([...good, bad].map((turn) => acceptor.accept(turn)));
    expect(results.map((result) => result.status)).toEqual([...good.map(() => 'fulfilled'), 'rejected']);
  });
});

describe('running', () => {
  const accept = async (fields: Partial<NewTurn> = {}) => {
    const turn = newTurn(fields);
    await makeTurnAcceptor(database.engine).accept(turn);
    return turn;
  };

  test('each claim counts up the epoch; one of a running turn counts a crash', async () => {
    const repository = makeTurnRunRepository(database.engine);
    const turn = await accept();
    const first = await repository.claim(ref(turn));
    expect(first).toMatchObject({ epoch: 1, crashes: 0, expired: false, wait_ms: 0, creator_name: 'Ada' });
    expect(await repository.claim(ref(turn))).toMatchObject({ epoch: 2, crashes: 1 });
    expect((await row(turn)).started_at).toEqual(first?.started_at);
  });

  test('a turn that is not the head, or of another tenant, cannot be claimed', async () => {
    const repository = makeTurnRunRepository(database.engine);
    const first = await accept();
    const second = await accept({ conversation_id: first.conversation_id });
    expect(await repository.claim(ref(second))).toBeNull();
    expect(await repository.claim({ ...ref(first), tenant_id: otherTenantId })).toBeNull();
  });

  test('two turns of one conversation never run at once, whoever writes it', async () => {
    const first = await accept();
    const second = await accept({ conversation_id: first.conversation_id });
    await makeTurnRunRepository(database.engine).claim(ref(first));
    const force = testDatabase.query(`UPDATE turns SET state = 'running' WHERE id = $1`, [second.turn_id]);
    await expect(force).rejects.toMatchObject({ code: '23505' });
  });

  test('a parked turn says how long it must wait and is not claimed; a drain counts nothing, a failure is counted', async () => {
    const repository = makeTurnRunRepository(database.engine);
    const turn = await accept();
    await repository.claim(ref(turn));
    expect(await repository.park({ ...ref(turn), epoch: 1, failed: false, delayMs: 0 })).toBe(true);
    await repository.claim(ref(turn));
    expect(await repository.park({ ...ref(turn), epoch: 1, failed: false, delayMs: 0 })).toBe(false);
    expect(await repository.park({ ...ref(turn), epoch: 2, failed: true, delayMs: 30_000 })).toBe(true);
    const held = await repository.claim(ref(turn));
    expect(held?.wait_ms).toBeGreaterThan(25_000);
    expect(await row(turn)).toMatchObject({ state: 'offered', epoch: 2, failures: 1, crashes: 0 });
  });

  test('a sign of life keeps only what is this epoch’s', async () => {
    const repository = makeTurnRunRepository(database.engine);
    const [mine, lost] = [await accept(), await accept()];
    await repository.claim(ref(mine));
    await repository.claim(ref(lost));
    await repository.claim(ref(lost));
    const ours = await repository.heartbeat([mine, lost].map((turn) => ({ ...ref(turn), epoch: 1 })));
    expect(ours).toEqual(new Set([mine.turn_id]));
  });

  test('the history window holds the last answered exchanges, oldest first', async () => {
    const repository = makeTurnRunRepository(database.engine);
    const settler = makeTurnSettler(database.engine);
    const turns: NewTurn[] = [];
    for (const message of ['one', 'two', 'three', 'four']) {
      const turn = await accept({ message, ...(turns[0] && { conversation_id: turns[0].conversation_id }) });
      turns.push(turn);
      await repository.claim(ref(turn));
      const failed = message === 'two' ? { outcome: 'failed' as const, reply_text: null } : {};
      await settler.settle(settlement(turn, { reply_text: `re ${message}`, ...failed }));
    }
    const history = await repository.history(
      { tenant_id: tenantId, conversation_id: turns[0]?.conversation_id ?? '', ordinal: 4 },
      2,
    );
    expect(history).toEqual([
      { message: 'one', reply_text: 're one', video_url: null },
      { message: 'three', reply_text: 're three', video_url: null },
    ]);
  });
});

describe('settling', () => {
  const start = async (fields: Partial<NewTurn> = {}) => {
    const turn = newTurn(fields);
    await makeTurnAcceptor(database.engine).accept(turn);
    await makeTurnRunRepository(database.engine).claim(ref(turn));
    return turn;
  };

  test('an old epoch writes nothing, and a turn ends once', async () => {
    const settler = makeTurnSettler(database.engine);
    const turn = await start();
    await makeTurnRunRepository(database.engine).claim(ref(turn));
    expect(await settler.settle(settlement(turn, { epoch: 1, reply_text: 'old' }))).toMatchObject({ written: false });
    expect(await settler.settle(settlement(turn, { epoch: 2, reply_text: 'new' }))).toMatchObject({
      written: true,
      turn: { reply_text: 'new', epoch: 2, outcome: 'completed' },
    });
    expect(await settler.settle(settlement(turn, { epoch: 2, reply_text: 'again' }))).toMatchObject({ written: false });
    const cancel = { epoch: null, outcome: 'cancelled' as const, reply_text: null };
    expect(await settler.settle(settlement(turn, cancel))).toMatchObject({ written: false });
    expect(await row(turn)).toMatchObject({ reply_text: 'new', outcome: 'completed' });
  });

  test('ending a turn makes the next of its conversation the head and hands it out once', async () => {
    const settler = makeTurnSettler(database.engine);
    const first = await start();
    const [second, third] = [newTurn(), newTurn()].map((turn) => ({
      ...turn,
      conversation_id: first.conversation_id,
      new_conversation: false,
    })) as [NewTurn, NewTurn];
    const acceptor = makeTurnAcceptor(database.engine);
    await acceptor.accept(second);
    await acceptor.accept(third);
    const { released } = await settler.settle(settlement(first));
    expect(released?.turn_id).toBe(second.turn_id);
    expect(await head(first)).toBe(second.turn_id);
    expect((await row(third)).state).toBe('waiting');
  });

  test('cancelling a waiting turn frees nobody else; cancelling the running one fences it', async () => {
    const settler = makeTurnSettler(database.engine);
    const first = await start();
    const second = newTurn({ conversation_id: first.conversation_id });
    await makeTurnAcceptor(database.engine).accept(second);
    const cancel = { epoch: null, outcome: 'cancelled' as const, reply_text: null };
    expect(await settler.settle(settlement(second, cancel))).toMatchObject({ written: true, released: null });
    expect(await head(first)).toBe(first.turn_id);
    expect(await settler.settle(settlement(first, cancel))).toMatchObject({ written: true, turn: { epoch: 2 } });
    expect(await head(first)).toBeNull();
    expect(await settler.settle(settlement(first))).toMatchObject({ written: false });
  });

  test('a message accepted while the turn before it ends is never left behind', async () => {
    const settler = makeTurnSettler(database.engine);
    const acceptors = [makeTurnAcceptor(database.engine), makeTurnAcceptor(database.engine)];
    for (let round = 0; round < 15; round++) {
      const first = await start();
      const second = newTurn({ conversation_id: first.conversation_id });
      await Promise.all([settler.settle(settlement(first)), acceptors[round % 2]?.accept(second)]);
      expect((await row(second)).state).toBe('offered');
      expect(await head(first)).toBe(second.turn_id);
    }
  });

  test('one reply that cannot be stored does not spoil its batch', async () => {
    const settler = makeTurnSettler(database.engine);
    const turns = await Promise.all(Array.from({ length: 4 }, () => start()));
    const results = await Promise.allSettled(
      turns.map((turn, index) => settler.settle(settlement(turn, index === 1 ? { reply_text: 'a\u0000b' } : {}))),
    );
    expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
  });
});

describe('sweeping', () => {
  const accept = async (fields: Partial<NewTurn> = {}) => {
    const turn = newTurn(fields);
    await makeTurnAcceptor(database.engine).accept(turn);
    return turn;
  };
  const idsOf = (turns: { turn_id?: string; id?: string }[]) => turns.map((turn) => turn.turn_id ?? turn.id);

  test('an offer is looked at once an interval, a parked one not before its time', async () => {
    const sweep = makeTurnSweepRepository(database.engine);
    const repository = makeTurnRunRepository(database.engine);
    const [offered, parked] = [await accept(), await accept()];
    await repository.claim(ref(parked));
    await repository.park({ ...ref(parked), epoch: 1, failed: true, delayMs: 60_000 });
    const looked = idsOf(await sweep.offersToCheck(0, 1_000));
    expect(looked).toContain(offered.turn_id);
    expect(looked).not.toContain(parked.turn_id);
    expect(idsOf(await sweep.offersToCheck(30_000, 1_000))).not.toContain(offered.turn_id);
  });

  test('a silent run is taken from its worker once, and the worker can write no more', async () => {
    const sweep = makeTurnSweepRepository(database.engine);
    const repository = makeTurnRunRepository(database.engine);
    const turn = await accept();
    await repository.claim(ref(turn));
    await testDatabase.query(`UPDATE turns SET heartbeat_at = now() - interval '1 minute' WHERE id = $1`, [
      turn.turn_id,
    ]);
    const [silent] = (await sweep.silentRuns(10_000, 10)).filter((run) => run.turn_id === turn.turn_id);
    if (!silent) throw new Error('the silent run was not found');
    expect(await sweep.reclaim(silent)).toBe(true);
    expect(await sweep.reclaim(silent)).toBe(false);
    expect(await row(turn)).toMatchObject({ state: 'offered', epoch: 2, crashes: 1 });
    expect(await makeTurnSettler(database.engine).settle(settlement(turn))).toMatchObject({ written: false });
  });

  test('finds expired turns that nobody runs, and ended ones nobody was told of', async () => {
    const sweep = makeTurnSweepRepository(database.engine);
    const [expired, open, ended] = [await accept({ deadline_ms: 0 }), await accept(), await accept()];
    await makeTurnRunRepository(database.engine).claim(ref(ended));
    await makeTurnSettler(database.engine).settle(settlement(ended));
    expect(idsOf(await sweep.expired(1_000))).toContain(expired.turn_id);
    expect(idsOf(await sweep.expired(1_000))).not.toContain(open.turn_id);
    expect(idsOf(await sweep.unannounced(-1_000, 1_000))).toContain(ended.turn_id);
    await makeTurnRunRepository(database.engine).markAnnounced([ref(ended)]);
    expect(idsOf(await sweep.unannounced(-1_000, 1_000))).not.toContain(ended.turn_id);
  });

  test('a conversation whose head is gone gets the first of its waiting turns as head', async () => {
    const sweep = makeTurnSweepRepository(database.engine);
    const first = await accept();
    const second = await accept({ conversation_id: first.conversation_id });
    await accept({ conversation_id: first.conversation_id });
    expect(idsOf(await sweep.releaseStuckHeads(1_000))).not.toContain(second.turn_id);
    await testDatabase.query(`UPDATE turns SET state = 'done', outcome = 'cancelled' WHERE id = $1`, [first.turn_id]);
    expect(idsOf(await sweep.releaseStuckHeads(1_000))).toContain(second.turn_id);
    expect(await head(first)).toBe(second.turn_id);
    expect(idsOf(await sweep.releaseStuckHeads(1_000))).toEqual([]);
  });

  test('only one process sweeps at a time', async () => {
    const sweep = makeTurnSweepRepository(database.engine);
    let second: boolean | undefined;
    const first = await sweep.asLeader(async () => {
      second = await sweep.asLeader(async () => undefined);
    });
    expect([first, second]).toEqual([true, false]);
    expect(await sweep.asLeader(async () => undefined)).toBe(true);
  });

  test('guests go with their conversations when their time is over, others stay', async () => {
    const [guest, fan] = [makeId(), makeId()];
    await testDatabase.query(
      `INSERT INTO users (id, tenant_id, email, display_name, role, expires_at)
       VALUES ($1, $3, NULL, 'guest', 'fan', now() - interval '2 hours'), ($2, $3, 'fan@example.com', 'fan', 'fan', NULL)`,
      [guest, fan, tenantId],
    );
    const ofGuest = await accept({ principal: `user:${guest}` });
    const ofFan = await accept({ principal: `user:${fan}` });
    await makeHousekeeping(database.engine).removeExpired();
    expect(await testDatabase.query('SELECT id FROM users')).toEqual([{ id: fan }]);
    const left = await testDatabase.query<{ id: string }>('SELECT id FROM turns WHERE id = ANY($1)', [
      [ofGuest.turn_id, ofFan.turn_id],
    ]);
    expect(left).toEqual([{ id: ofFan.turn_id }]);
  });
});
