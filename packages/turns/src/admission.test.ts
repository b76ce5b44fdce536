import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { LimitState } from '@sidestage/contracts';
import { closeRedis, makeId, makeLogger, makeRedis, type Redis } from '@sidestage/runtime';
import { makeTestRedis, type TestRedis, waitFor } from '@sidestage/testkit';
import { makeAdmission, makeAdmissionLedger } from './admission.js';
import { keys } from './keys.js';
import type { Admission, AdmissionLedger, AdmissionRequest, AdmissionResult } from './ports.js';
import { makeWaitingLine } from './waiting-line.js';

const logger = makeLogger({ service: 'test', level: 'FATAL' });
const tenantId = makeId();
let server: TestRedis;
let redis: Redis;
let admission: Admission;
let ledger: AdmissionLedger;

beforeEach(async () => {
  server = await makeTestRedis();
  redis = makeRedis(server.url, 'request', logger);
  await new Promise((resolve) => redis.once('ready', resolve));
  admission = makeAdmission({ redis, logger, gateways: 2 });
  ledger = makeAdmissionLedger({ redis, logger });
});
afterEach(async () => {
  await closeRedis(redis);
  await server.stop();
});

function ask(over: Partial<AdmissionRequest> = {}): AdmissionRequest {
  return {
    turn_id: makeId(),
    tenant_id: tenantId,
    principal: 'user:ada',
    tier: 'free',
    idempotency_scope: null,
    limits: { per_hour: 50, per_minute: 10, in_flight: 100, weight: 1 },
    tenant_limit: { per_minute: 1000, burst: 2000 },
    lease_until: Date.now() + 180_000,
    ...over,
  };
}
const limits = (per_hour: number, per_minute: number, in_flight = 100) => ({
  per_hour,
  per_minute,
  in_flight,
  weight: 1,
});
function remaining(result: AdmissionResult | { limits: LimitState[] }): Record<string, number> {
  const states = 'limits' in result ? result.limits : [];
  return Object.fromEntries(states.map((state) => [state.policy, state.remaining]));
}

describe('windows', () => {
  test('let exactly the limit through; a refusal names the policy, when to come back, and does not count', async () => {
    const kinds: string[] = [];
    for (let turn = 0; turn < 13; turn++) kinds.push((await admission.admit(ask())).kind);
    expect(kinds).toEqual([...Array(10).fill('admitted'), 'refused', 'refused', 'refused']);
    const refused = await admission.admit(ask());
    expect(refused).toMatchObject({ kind: 'refused', policy: 'minute' });
    if (refused.kind !== 'refused') throw new Error('admitted');
    expect(refused.retry_after_ms).toBeGreaterThan(0);
    expect(refused.retry_after_ms).toBeLessThanOrEqual(60_000);
    expect(remaining(refused)).toEqual({ hour: 40, minute: 0 });
    expect(await redis.zcard(keys.inFlight(tenantId, 'user:ada'))).toBe(10);
    expect(await redis.zcard(keys.waitingLine())).toBe(10);
  });

  test('of which several refuse: the one that holds longest is named', async () => {
    await admission.admit(ask({ limits: limits(1, 1, 1) }));
    expect(await admission.admit(ask({ limits: limits(1, 1, 1) }))).toMatchObject({ policy: 'hour' });
  });

  test('begin with the first accepted turn and end a whole window later', async () => {
    const admitted = await admission.admit(ask());
    if (admitted.kind !== 'admitted') throw new Error(admitted.kind);
    expect(admitted.limits).toEqual([
      { policy: 'hour', limit: 50, remaining: 49, reset_seconds: 3600 },
      { policy: 'minute', limit: 10, remaining: 9, reset_seconds: 60 },
    ]);
    expect(await redis.pttl(keys.quota(tenantId, 'user:ada', 'minute'))).toBeGreaterThan(55_000);
    await redis.pexpire(keys.quota(tenantId, 'user:ada', 'minute'), 1);
    await waitFor(async () => (await redis.exists(keys.quota(tenantId, 'user:ada', 'minute'))) === 0);
    expect(remaining(await admission.admit(ask()))).toEqual({ hour: 48, minute: 9 });
  });

  test('of one principal leave others alone, and a looking gateway takes nothing', async () => {
    await admission.admit(ask({ limits: limits(50, 1) }));
    expect((await admission.admit(ask({ limits: limits(50, 1) }))).kind).toBe('refused');
    expect((await admission.admit(ask({ principal: 'user:bob', limits: limits(50, 1) }))).kind).toBe('admitted');
    expect((await admission.admit(ask({ tenant_id: makeId(), limits: limits(50, 1) }))).kind).toBe('admitted');
    const look = { tenant_id: tenantId, principal: 'user:eve', limits: limits(50, 10) };
    for (let times = 0; times < 3; times++)
      expect(remaining({ limits: await admission.peek(look) })).toEqual({ hour: 50, minute: 10 });
  });
});

describe('in flight', () => {
  test('never more than the cap, with fifty at once', async () => {
    const results = await Promise.all(
      Array.from({ length: 50 }, () => admission.admit(ask({ limits: limits(500, 500, 8) }))),
    );
    expect(results.filter(({ kind }) => kind === 'admitted')).toHaveLength(8);
    expect(results.filter((result) => result.kind === 'refused' && result.policy === 'in_flight')).toHaveLength(42);
  });

  test('a lease ends by itself, and no other with it', async () => {
    const cap = limits(500, 500, 2);
    await admission.admit(ask({ limits: cap }));
    await admission.admit(ask({ limits: cap, lease_until: Date.now() + 200 }));
    expect((await admission.admit(ask({ limits: cap }))).kind).toBe('refused');
    await waitFor(async () => (await admission.admit(ask({ limits: cap }))).kind === 'admitted');
    expect((await admission.admit(ask({ limits: cap }))).kind).toBe('refused');
  });

  test('an ended turn makes room; its quota stays used, unless it goes back', async () => {
    const first = ask({ limits: limits(50, 10, 1) });
    await admission.admit(first);
    await ledger.ended([{ ...first, refund: 'none' }]);
    const second = ask({ limits: limits(50, 10, 1) });
    expect(remaining(await admission.admit(second))).toEqual({ hour: 48, minute: 8 });
    await ledger.ended([{ ...second, refund: 'all' }]);
    expect(await redis.zcard(keys.waitingLine())).toBe(0);
    expect(remaining({ limits: await admission.peek(first) })).toEqual({ hour: 49, minute: 9 });
    // A second word about the same turn gives nothing more.
    await ledger.ended([{ ...second, refund: 'all' }]);
    expect(remaining({ limits: await admission.peek(first) })).toEqual({ hour: 49, minute: 9 });
  });

  test('a refund does not go to a window begun after the charge', async () => {
    const old = ask();
    await admission.admit(old);
    await redis.del(keys.quota(tenantId, 'user:ada', 'minute'));
    await new Promise((resolve) => setTimeout(resolve, 5));
    await admission.admit(ask());
    await ledger.ended([{ ...old, refund: 'all' }]);
    expect(remaining({ limits: await admission.peek(old) })).toEqual({ hour: 49, minute: 9 });
  });

  test('a bounded refund gives back at most what the tier grants in the window, and others are not counted in', async () => {
    const cap = limits(50, 4);
    async function admitAndEnd(refund: 'all' | 'bounded'): Promise<string> {
      const request = ask({ limits: cap });
      const { kind } = await admission.admit(request);
      if (kind === 'admitted') await ledger.ended([{ ...request, refund }]);
      return kind;
    }
    for (let turn = 0; turn < 20; turn++) expect(await admitAndEnd('all')).toBe('admitted');
    for (let turn = 0; turn < 4; turn++) expect(await admitAndEnd('bounded')).toBe('admitted');
    expect(remaining({ limits: await admission.peek(ask({ limits: cap })) })).toEqual({ hour: 50, minute: 4 });
    for (let turn = 0; turn < 4; turn++) expect(await admitAndEnd('bounded')).toBe('admitted');
    // The hour may give back more than the minute: its own limit bounds it.
    expect(remaining({ limits: await admission.peek(ask({ limits: cap })) })).toEqual({ hour: 50, minute: 0 });
    expect(await admitAndEnd('bounded')).toBe('refused');
  });

  test('bounded refunds that come all at once stay within the bound', async () => {
    const cap = limits(100, 6);
    const requests = Array.from({ length: 6 }, () => ask({ limits: cap }));
    for (const request of requests) await admission.admit(request);
    await redis.hset(keys.quota(tenantId, 'user:ada', 'minute'), 'given_back', 3);
    await Promise.all(requests.map((request) => ledger.ended([{ ...request, refund: 'bounded' }])));
    expect(remaining({ limits: await admission.peek(ask({ limits: cap })) })).toEqual({ hour: 100, minute: 3 });
  });
});

describe('the tenant', () => {
  test('has a bucket over all its principals, refilled with time', async () => {
    const tenant_limit = { per_minute: 600, burst: 3 };
    const results: string[] = [];
    for (let n = 0; n < 4; n++)
      results.push((await admission.admit(ask({ principal: `user:${n}`, tenant_limit }))).kind);
    expect(results).toEqual(['admitted', 'admitted', 'admitted', 'refused']);
    const refused = await admission.admit(ask({ principal: 'user:9', tenant_limit }));
    if (refused.kind === 'refused') {
      expect(refused.policy).toBe('tenant');
      expect(refused.retry_after_ms).toBeLessThanOrEqual(100);
    }
    await waitFor(async () => (await admission.admit(ask({ principal: 'user:9', tenant_limit }))).kind === 'admitted');
  });
});

describe('idempotency', () => {
  test('a key names the turn it made, and takes nothing again', async () => {
    const first = ask({ idempotency_scope: 'k' });
    await admission.admit(first);
    expect(await admission.admit(ask({ idempotency_scope: 'k' }))).toEqual({
      kind: 'repeated',
      turn_id: first.turn_id,
    });
    expect(remaining({ limits: await admission.peek(first) })).toEqual({ hour: 49, minute: 9 });
    expect((await admission.admit(ask({ idempotency_scope: 'k', tenant_id: makeId() }))).kind).toBe('admitted');
  });

  test('a refused turn leaves its key free', async () => {
    await admission.admit(ask({ limits: limits(50, 1) }));
    expect((await admission.admit(ask({ idempotency_scope: 'k', limits: limits(50, 1) }))).kind).toBe('refused');
    expect((await admission.admit(ask({ idempotency_scope: 'k', limits: limits(50, 10) }))).kind).toBe('admitted');
  });

  test('withdrawing undoes everything, the key too', async () => {
    const turn = ask({ idempotency_scope: 'k', tenant_limit: { per_minute: 1, burst: 1 } });
    await admission.admit(turn);
    await admission.withdraw(turn);
    expect(await redis.keys('sidestage:*')).not.toContain(keys.charge(tenantId, turn.turn_id));
    expect(await redis.zcard(keys.inFlight(tenantId, 'user:ada'))).toBe(0);
    expect(await redis.zcard(keys.waitingLine())).toBe(0);
    expect(remaining({ limits: await admission.peek(turn) })).toEqual({ hour: 50, minute: 10 });
    const again = { ...turn, turn_id: makeId() };
    expect((await admission.admit(again)).kind).toBe('admitted');
    // The old turn's withdrawal does not take the key of the new one.
    await admission.withdraw(turn);
    expect(await admission.admit({ ...turn, turn_id: makeId() })).toEqual({ kind: 'repeated', turn_id: again.turn_id });
  });
});

describe('the waiting line', () => {
  test('gives each turn its place, and an estimate once it is known how fast it drains', async () => {
    const turns = [ask(), ask(), ask()];
    const places = [];
    for (const turn of turns) places.push(await admission.admit(turn));
    expect(places).toMatchObject([{ position: 1, eta_ms: null }, { position: 2 }, { position: 3 }]);
    const line = makeWaitingLine({ redis });
    await line.leave([turns[0]?.turn_id ?? '']);
    await new Promise((resolve) => setTimeout(resolve, 20));
    await line.leave([turns[1]?.turn_id ?? '']);
    const next = await admission.admit(ask());
    expect(next).toMatchObject({ position: 2 });
    expect(next.kind === 'admitted' && next.eta_ms).toBeGreaterThan(0);
    expect((await line.place(turns[2]?.turn_id ?? ''))?.position).toBe(1);
  });

  test('whoever was forgotten in it does not push others back for ever', async () => {
    await redis.zadd(keys.waitingLine(), Date.now() - 200_000, 'forgotten');
    expect(await admission.admit(ask())).toMatchObject({ position: 1 });
  });
});

describe('a backlog beyond the deadline', () => {
  /** `length` turns wait, the first for `waitedMs`, and `starts` of them began in the last ten seconds. */
  async function makeBacklog(length: number, waitedMs: number, starts: number): Promise<void> {
    const now = Date.now();
    const line = Array.from({ length }, (_, index) => [now - waitedMs + index, `waiting-${index}`]);
    await redis.zadd(keys.waitingLine(), ...line.flat());
    await redis.hset(keys.drainRate(), { at: now, starts, busy_ms: 10_000, waiting: length });
  }

  test('is not joined: refused with how long until it is short enough, at the rate it drains, and nothing is taken', async () => {
    // Ten a second: 2,000 need 200 s, and a turn lives 190.
    await makeBacklog(2_000, 40_000, 100);
    const refused = await admission.admit(ask({ lease_until: Date.now() + 190_000 }));
    expect(refused).toMatchObject({ kind: 'refused', policy: 'backlog' });
    const wait = refused.kind === 'refused' ? refused.retry_after_ms : 0;
    expect(wait).toBeGreaterThan(9_000);
    expect(wait).toBeLessThan(16_000);
    expect(await redis.zcard(keys.waitingLine())).toBe(2_000);
    expect(await redis.exists(keys.inFlight(tenantId, 'user:ada'))).toBe(0);
  });

  test.each([
    ['that drains fast enough', 2_000, 40_000, 400],
    ['that is young: a burst is not a backlog', 2_000, 5_000, 1],
    ['of a few whose replies are long', 20, 100_000, 1],
  ])('one %s is joined', async (_, length, waitedMs, starts) => {
    await makeBacklog(length, waitedMs, starts);
    expect(await admission.admit(ask({ lease_until: Date.now() + 190_000 }))).toMatchObject({
      kind: 'admitted',
      position: length + 1,
    });
  });

  test('nobody drains any more: refused, for a minute at most', async () => {
    await makeBacklog(500, 120_000, 100);
    await redis.hset(keys.drainRate(), 'at', Date.now() - 120_000);
    expect(await admission.admit(ask({ lease_until: Date.now() + 190_000 }))).toMatchObject({
      kind: 'refused',
      policy: 'backlog',
      retry_after_ms: 60_000,
    });
  });
});

describe('without Redis', () => {
  test('each gateway hands out its share, without a position, and Redis decides again when it is back', async () => {
    await server.kill();
    const kinds: string[] = [];
    for (let turn = 0; turn < 7; turn++) {
      const result = await admission.admit(ask());
      kinds.push(result.kind);
      if (result.kind === 'admitted') expect(result.position).toBeNull();
    }
    expect(kinds).toEqual([...Array(5).fill('admitted'), 'refused', 'refused']);
    await server.restart();
    await waitFor(async () => {
      const result = await admission.admit(ask({ principal: 'user:after' }));
      return result.kind === 'admitted' && result.position !== null;
    });
  });

  test('a frozen Redis costs a turn its timeout and not more, and no lease of a refused turn outlives the thaw', async () => {
    server.freeze();
    const results = [];
    const cap = limits(50, 10, 2);
    results.push(await admission.admit(ask({ limits: cap })));
    // Redis is asked again, hears of this turn too, and would have room for it.
    await new Promise((resolve) => setTimeout(resolve, 600));
    for (let turn = 0; turn < 3; turn++) results.push(await admission.admit(ask({ limits: cap })));
    expect(results.map(({ kind }) => kind)).toEqual(['admitted', 'refused', 'refused', 'refused']);
    server.resume();
    await waitFor(async () => {
      const result = await admission.admit(ask({ principal: 'user:after' }));
      return result.kind === 'admitted' && result.position !== null;
    });
    expect(await redis.zcard(keys.inFlight(tenantId, 'user:ada'))).toBe(1);
  });

  test('a full Redis refuses new turns instead', async () => {
    await redis.config('SET', 'maxmemory', '1');
    await expect(admission.admit(ask())).rejects.toMatchObject({ code: 'overloaded' });
    await redis.config('SET', 'maxmemory', '0');
    expect((await admission.admit(ask())).kind).toBe('admitted');
  });

  test('a wiped Redis is filled from the turns that are open', async () => {
    const open = [
      { id: makeId(), tenant_id: tenantId, principal: 'user:ada', state: 'running' },
      { id: makeId(), tenant_id: tenantId, principal: 'user:ada', state: 'waiting' },
    ].map((turn) => ({ ...turn, accepted_at: new Date(), deadline_at: new Date(Date.now() + 60_000) }));
    await ledger.rebuild(open);
    expect((await admission.admit(ask({ limits: limits(50, 10, 2) }))).kind).toBe('refused');
    expect(await redis.zrange(keys.waitingLine(), 0, -1)).toEqual([open[1]?.id]);
  });
});
