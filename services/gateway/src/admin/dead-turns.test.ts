import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { DeadTurnDetailView, DeadTurnView, Page, RetriedTurnView } from '@sidestage/contracts';
import { closeRedis, makeId, makeLogger, makeRedis, type Redis } from '@sidestage/runtime';
import { collectSse, openSocket, waitFor } from '@sidestage/testkit';
import { keys, makeAdmissionLedger, makeReplyWriter } from '@sidestage/turns';
import { type ChatStage, type Fan, makeChatStage } from '../testing/chat-stage.js';
import { makeGate } from '../testing/scripted-worker.js';
import type { ProblemView } from '../testing/wire.js';

const path = '/api/v1/admin/dead-turns';
const problem = {
  type: '/docs/errors#internal',
  title: 'Something went wrong on our side',
  status: 500,
  code: 'internal',
  detail: 'The turn was set aside: 5 workers stopped while they answered it.',
};
const later = { headers: { Prefer: 'respond-async' } };

let stage: ChatStage;
let operator: string;
let fan: Fan;
let redis: Redis;
const logger = makeLogger({ service: 'test', level: 'CRITICAL' });

beforeEach(async () => {
  stage = await makeChatStage();
  redis = makeRedis(stage.gateway.redis.url, 'request', logger);
  operator = (await stage.gateway.signIn('operator')).access_token;
  fan = await stage.fan();
});
afterEach(async () => {
  await closeRedis(redis);
  await stage.close();
});

/** Sets aside a turn that the worker leaves open, as the chat worker does after five deaths. */
async function kill(id: string): Promise<void> {
  await stage.gateway.database.query(
    `WITH dead AS (
       UPDATE turns SET state = 'done', outcome = 'dead', crashes = 5, epoch = 8, ended_at = now(), announced = true, problem = $2
       WHERE id = $1 RETURNING id)
     UPDATE conversations SET head_turn_id = NULL WHERE head_turn_id IN (SELECT id FROM dead)`,
    [id, JSON.stringify(problem)],
  );
  const [row] = await stage.gateway.database.query<{ generation_id: string; principal: string }>(
    'SELECT generation_id, principal FROM turns WHERE id = $1',
    [id],
  );
  const { generation_id = '', principal = '' } = row ?? {};
  await makeReplyWriter({ redis }).append(generation_id, 8, [{ type: 'failed', problem }]);
  const lease = { tenant_id: stage.tenantId, turn_id: id, principal, refund: 'none' as const };
  await makeAdmissionLedger({ redis, logger }).ended([lease]);
}

/** A dead turn of the fan. */
async function makeDead(body: Record<string, unknown> = {}): Promise<{ id: string; conversationId: string }> {
  stage.use(async () => null);
  const accepted = await stage.chat<{ message_id: string; conversation_id: string }>(fan, body, later);
  const { message_id: id, conversation_id: conversationId } = accepted.body;
  await waitFor(async () => (await stage.turns()).some((turn) => turn.id === id && turn.state === 'running'));
  await kill(id);
  return { id, conversationId };
}

const call = <Body = Record<string, unknown>>(method: string, below = '', token = operator) =>
  stage.gateway.call<Body>(method, `${path}${below}`, { token });
const listed = async (query = '') => (await call<Page<DeadTurnView>>('GET', query)).body.items.map(({ id }) => id);
const statusOf = async (id: string) =>
  (await stage.gateway.call<{ status: string }>('GET', `/api/v1/messages/${id}`, { token: fan.token })).body.status;

describe('dead turns', () => {
  test('are listed page by page, newest first and by tenant, without the fan’s words', async () => {
    const turns = [await makeDead({ message: 'one' }), await makeDead({ message: 'two' }), await makeDead()];
    const first = await call<Page<DeadTurnView>>('GET', '?limit=2');
    expect(first.status).toBe(200);
    expect(first.body.items.map(({ id }) => id)).toEqual([turns[2]?.id, turns[1]?.id]);
    expect(first.body.items[1]).toMatchObject({
      tenant_id: stage.tenantId,
      creator_id: stage.creatorId,
      conversation_id: turns[1]?.conversationId,
      principal: fan.principal,
      tier: 'free',
      crashes: 5,
      failures: 0,
      request_id: expect.any(String),
      reason: problem,
    });
    expect(JSON.stringify(first.body)).not.toContain('two');
    const second = await call<Page<DeadTurnView>>('GET', `?limit=2&cursor=${first.body.next_cursor}`);
    expect(second.body).toMatchObject({ items: [{ id: turns[0]?.id }], next_cursor: null });
    expect(await listed(`?tenant_id=${stage.tenantId}`)).toHaveLength(3);
    expect(await listed(`?tenant_id=${makeId()}`)).toEqual([]);
    for (const query of ['?tenant_id=x', '?cursor=x', '?limit=0']) expect((await call('GET', query)).status).toBe(422);
  });

  test('are read with the message by operators alone, and that is written down', async () => {
    const { id } = await makeDead({ message: 'the words' });
    const { status, body } = await call<DeadTurnDetailView>('GET', `/${id}`);
    expect([status, body.message, body.reason.detail]).toEqual([200, 'the words', problem.detail]);
    const creator = await stage.gateway.signIn('creator');
    for (const token of [fan.token, creator.access_token, stage.gateway.home.key]) {
      const answers = await Promise.all([
        call('GET', '', token),
        call('GET', `/${id}`, token),
        call('DELETE', `/${id}`, token),
        call('POST', `/${id}/retry`, token),
      ]);
      expect(answers.map((answer) => answer.status)).toEqual([403, 403, 403, 403]);
    }
    for (const unknown of [makeId(), 'nothing']) {
      const answers = await Promise.all([
        call('GET', `/${unknown}`),
        call('DELETE', `/${unknown}`),
        call('POST', `/${unknown}/retry`),
      ]);
      expect(answers.map((answer) => answer.status)).toEqual([404, 404, 404]);
    }
    const audit = await stage.gateway.database.query<{ action: string; subject: string }>(
      `SELECT action, subject FROM audit WHERE action LIKE 'dead_turn.%'`,
    );
    expect(audit).toEqual([{ action: 'dead_turn.read', subject: `turn:${id}` }]);
  });

  test('of which one is retried are answered under the same message id, as if they had just been accepted', async () => {
    const { id, conversationId } = await makeDead({ message: 'again' });
    expect(await statusOf(id)).toBe('failed');
    const gate = makeGate();
    stage.use(async (_turn, say) => {
      await say({ type: 'delta', text: 'after all' });
      await gate.opened;
      return 'after all';
    });
    const retried = await call<RetriedTurnView>('POST', `/${id}/retry`);
    expect([retried.status, retried.body.status, retried.body.conversation_id]).toEqual([
      202,
      'queued',
      conversationId,
    ]);
    expect(Date.parse(retried.body.deadline_at)).toBeGreaterThan(Date.now() + 60_000);
    await waitFor(async () => (await statusOf(id)) === 'running');
    // It counts as in flight again, until it ends.
    const leases = () => redis.zrange(keys.inFlight(stage.tenantId, fan.principal), 0, -1);
    expect(await leases()).toContain(id);
    expect(await listed()).toEqual([]);
    // Who had seen its failure with the last number of the old stream gets the whole new one, under higher numbers.
    const events = collectSse(
      await fetch(`${stage.url}/api/v1/messages/${id}/events`, {
        headers: { Authorization: `Bearer ${fan.token}`, 'Last-Event-ID': '3' },
      }),
    );
    gate.open();
    const all = await events;
    expect(all.map(({ event }) => event)).toEqual(['reset', 'queued', 'started', 'delta', 'completed']);
    expect(Number(all[0]?.id)).toBeGreaterThan(3);
    expect(await statusOf(id)).toBe('completed');
    await waitFor(async () => !(await leases()).includes(id));
    const [row] = await stage.gateway.database.query(
      `SELECT outcome, crashes, failures, reply_text, announced FROM turns WHERE id = $1`,
      [id],
    );
    expect(row).toEqual({ outcome: 'completed', crashes: 0, failures: 0, reply_text: 'after all', announced: true });
  });

  test('go to one of many who retry at once; the others get 409, and it runs once', async () => {
    const { id } = await makeDead();
    const gate = makeGate();
    stage.use(async () => {
      await gate.opened;
      return 'once';
    });
    const before = stage.worker.claimed.length;
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, n) =>
        stage.gateway.call<ProblemView>('POST', `${n % 2 ? stage.url : stage.other}${path}/${id}/retry`, {
          token: operator,
        }),
      ),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([202, 409, 409, 409, 409, 409, 409, 409]);
    expect(answers.find(({ status }) => status === 409)?.body).toMatchObject({ code: 'conflict' });
    expect((await call('DELETE', `/${id}`)).status).toBe(409);
    gate.open();
    await waitFor(async () => (await statusOf(id)) === 'completed');
    expect((await call('POST', `/${id}/retry`)).status).toBe(409);
    expect(stage.worker.claimed.length).toBe(before + 1);
  });

  test('wait for the open turn of their conversation, and go before those accepted later', async () => {
    const key = await stage.key('premium');
    stage.use(async () => null);
    const first = await stage.chat<{ message_id: string; conversation_id: string }>(key, { message: 'dead' }, later);
    const { message_id: id, conversation_id } = first.body;
    await waitFor(() => stage.worker.claimed.includes('dead'));
    await kill(id);
    const gates = new Map(['two', 'three', 'dead'].map((message) => [message, makeGate()]));
    stage.use(async (turn) => {
      await gates.get(turn.message)?.opened;
      return turn.message;
    });
    for (const message of ['two', 'three']) await stage.chat(key, { message, conversation_id }, later);
    await waitFor(() => stage.worker.claimed.includes('two'));
    expect((await call('POST', `/${id}/retry`)).status).toBe(202);
    const states = async () => (await stage.turns()).map(({ message, state }) => `${message} ${state}`);
    expect(await states()).toEqual(['dead waiting', 'two running', 'three waiting']);
    for (const gate of gates.values()) gate.open();
    await waitFor(async () => (await states()).every((state) => state.endsWith('done')));
    expect(stage.worker.claimed.slice(1)).toEqual(['two', 'dead', 'three']);
    const history = await stage.gateway.call<Page<{ text: string; role: string }>>(
      'GET',
      `/api/v1/conversations/${conversation_id}/messages`,
      { token: key.token },
    );
    expect(history.body.items.map(({ text }) => text)).toEqual(['dead', 'dead', 'two', 'two', 'three', 'three']);
  });

  test('are shown to a device that connects while they are answered, and can be cancelled by their fan', async () => {
    const { id, conversationId } = await makeDead({ message: 'again' });
    stage.use(async () => null);
    await call('POST', `/${id}/retry`);
    const socket = await openSocket(`${stage.url}/ws/${conversationId}/phone`, { token: fan.token });
    expect(await socket.next('accepted')).toMatchObject({ message_id: id, message: 'again' });
    const { status } = await stage.gateway.call('DELETE', `/api/v1/messages/${id}`, { token: fan.token });
    expect(status).toBe(200);
    await socket.next('cancelled');
    await socket.close();
    expect(await listed()).toEqual([]);
  });

  test('that are dropped leave the list and stay in the fan’s history as failed', async () => {
    const { id, conversationId } = await makeDead({ message: 'drop me' });
    expect((await call('DELETE', `/${id}`)).status).toBe(204);
    expect(await listed()).toEqual([]);
    const again = await Promise.all([call('GET', `/${id}`), call('DELETE', `/${id}`), call('POST', `/${id}/retry`)]);
    expect(again.map(({ status }) => status)).toEqual([404, 404, 404]);
    expect(await statusOf(id)).toBe('failed');
    const history = await stage.gateway.call<Page<{ status: string }>>(
      'GET',
      `/api/v1/conversations/${conversationId}/messages`,
      { token: fan.token },
    );
    expect(history.body.items[0]).toMatchObject({ role: 'fan', text: 'drop me', status: 'failed' });
    const audit = await stage.gateway.database.query(`SELECT subject FROM audit WHERE action = 'dead_turn.dropped'`);
    expect(audit).toEqual([{ subject: `turn:${id}` }]);
  });
});
