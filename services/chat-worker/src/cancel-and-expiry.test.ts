import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { makeLogger } from '@sidestage/runtime';
import { makeTurnReadRepository, makeTurnRunRepository } from '@sidestage/store';
import { type ModelServer, startGeminiServer, startOpenAiServer, waitFor } from '@sidestage/testkit';
import { type Admission, makeAdmission, makeAdmissionLedger, makeCanceller } from '@sidestage/turns';
import { makeWorkerWorld, type SentTurn, type WorkerWorld } from './test-support/worker-world.js';

const reply = 'Sleep is when memories settle [1]. Naps help too [1].';
const subject = 'the message in question';
const logger = makeLogger({ service: 'test', level: 'CRITICAL' });
const limits = { per_hour: 50, per_minute: 10, in_flight: 10, weight: 1 };

let world: WorkerWorld;
let gemini: ModelServer;
let openai: ModelServer;
let admission: Admission;

beforeAll(async () => {
  world = await makeWorkerWorld();
  [gemini, openai] = await Promise.all([startGeminiServer(), startOpenAiServer()]);
  admission = makeAdmission({ redis: world.redis, logger });
});
afterAll(async () => {
  await world.close();
  await Promise.all([gemini.close(), openai.close()]);
});
beforeEach(async () => {
  await world.redis.flushall();
  for (const server of [gemini, openai]) {
    server.requests.length = 0;
    server.behave({ reply });
  }
});
afterEach(() => world.retrieval.behave({}));

const startWorker = () =>
  world.startWorker({
    MODEL_LADDER: 'gemini,openai',
    GOOGLE_API_KEY: 'test',
    GOOGLE_BASE_URL: gemini.url,
    OPENAI_API_KEY: 'test',
    OPENAI_BASE_URL: openai.url,
    RETRIEVAL_TIMEOUT_MS: '300',
    BREAKER_ERROR_PERCENT: '100',
    CACHE_ENABLED: 'false',
  });

/** As the gateway does it: admitted, accepted, offered. */
async function submit(message: string, how: { conversationId?: string; deadlineMs?: number } = {}): Promise<SentTurn> {
  const turn = await world.send(message, { ...how, offer: false });
  await admission.admit({
    turn_id: turn.turnId,
    tenant_id: world.tenantId,
    principal: 'user:test',
    tier: 'free',
    idempotency_scope: null,
    limits,
    tenant_limit: { per_minute: 1000, burst: 2000 },
    lease_until: Date.now() + 200_000,
  });
  const { state, request_id, traceparent } = await world.row(turn.turnId);
  if (state === 'offered')
    await world.dispatcher.offer({ tenant_id: world.tenantId, turn_id: turn.turnId, request_id, traceparent });
  return turn;
}

async function cancel(turn: SentTurn): Promise<void> {
  const canceller = makeCanceller({
    turns: makeTurnReadRepository(world.database),
    settler: world.settler,
    runs: makeTurnRunRepository(world.database.engine),
    replyWriter: world.writer,
    dispatcher: world.dispatcher,
    ledger: makeAdmissionLedger({ redis: world.redis, logger }),
    logger,
  });
  await canceller.cancel(await world.row(turn.turnId));
}

/** Model calls for the message in question, on any provider. */
const calls = () =>
  [...gemini.requests, ...openai.requests].filter(({ body }) => JSON.stringify(body).includes(subject)).length;
const quotaLeft = async () =>
  (await admission.peek({ tenant_id: world.tenantId, principal: 'user:test', limits })).map((state) => state.remaining);
const isRunning = async (turn: SentTurn) => (await world.row(turn.turnId)).state === 'running';
const isParked = async (turn: SentTurn) => {
  const { state, not_before } = await world.row(turn.turnId);
  return state === 'offered' && not_before !== null;
};
/** Nothing is left in the queue or at work that could ask a model. */
async function untilIdle(): Promise<void> {
  await waitFor(
    async () => {
      const { waiting, running } = await world.dispatcher.depth();
      return waiting + running === 0 && gemini.openStreams + openai.openStreams === 0;
    },
    { timeoutMs: 20_000, what: 'the worker to be idle' },
  );
}

interface Moment {
  /** Sets the stage; gives the turn in question once the moment has come. */
  reach(): Promise<SentTurn>;
  /** Model calls it has cost by then. */
  spent: number;
}

/** `deadlineMs` for turns that are to expire in that moment. */
const moments = (deadlineMs?: number): Record<string, Moment> => {
  const send = (how: { conversationId?: string } = {}) =>
    submit(subject, { ...how, ...(deadlineMs !== undefined && { deadlineMs }) });
  return {
    'while it waits behind another of its conversation': {
      async reach() {
        gemini.behave({ reply, firstTokenMs: 2_000 });
        const { conversationId } = await submit('another');
        await waitFor(() => gemini.openStreams === 1);
        return send({ conversationId });
      },
      spent: 0,
    },
    'between its claim and the model': {
      async reach() {
        world.retrieval.behave({ hang: true });
        const searched = world.retrieval.searches.length;
        const turn = await send();
        await waitFor(() => world.retrieval.searches.length > searched);
        return turn;
      },
      spent: 0,
    },
    'while it waits for the first word': {
      async reach() {
        gemini.behave({ reply, firstTokenMs: 8_000 });
        const turn = await send();
        await waitFor(() => calls() === 1);
        return turn;
      },
      spent: 1,
    },
    'in the middle of the reply': {
      async reach() {
        gemini.behave({ reply, tokenDelayMs: 600 });
        const turn = await send();
        await waitFor(() => turn.events.some(({ type }) => type === 'delta'));
        return turn;
      },
      spent: 1,
    },
    'before the same model is asked once more': {
      async reach() {
        gemini.behave({ status: 500, delayHeadersMs: 250 });
        const turn = await send();
        await waitFor(() => calls() === 1);
        return turn;
      },
      spent: 1,
    },
    'before the next model of the ladder is asked': {
      async reach() {
        gemini.behave({ status: 400, delayHeadersMs: 250 });
        const turn = await send();
        await waitFor(() => calls() === 1);
        return turn;
      },
      spent: 1,
    },
  };
};

describe('a cancelled turn asks no model from then on and gives its quota back', () => {
  test('before any worker has begun it', async () => {
    const turn = await submit(subject);
    expect(await quotaLeft()).toEqual([49, 9]);
    await cancel(turn);
    expect(await quotaLeft()).toEqual([50, 10]);
    const worker = await startWorker();
    await untilIdle();
    expect(calls()).toBe(0);
    await worker.stop();
  });

  // Several times each: the sign of life, every second, may happen to stop the run first.
  describe.each(Object.entries(moments()))('%s', (_, { reach, spent }) => {
    test.each([1, 2, 3])('time %i', async () => {
      const worker = await startWorker();
      const turn = await reach();
      const before = await quotaLeft();
      await cancel(turn);
      expect(await quotaLeft()).toEqual(before.map((left) => left + 1));
      expect((await turn.ended()).at(-1)?.type).toBe('cancelled');
      await untilIdle();
      expect(calls()).toBe(spent);
      expect(await world.row(turn.turnId)).toMatchObject({ outcome: 'cancelled', reply_text: null });
      await worker.stop();
    });
  });

  test.each([
    ['parked for a 429', { status: 429, retryAfterSeconds: 1 }, { status: 429, retryAfterSeconds: 1 }, 2],
    ['in the backoff after a failure', { status: 400 }, { status: 400 }, 2],
  ] as const)('%s', async (_, first, second, spent) => {
    const worker = await startWorker();
    gemini.next(first);
    openai.next(second);
    const turn = await submit(subject);
    await waitFor(() => isParked(turn));
    await cancel(turn);
    expect(await quotaLeft()).toEqual([50, 10]);
    await untilIdle();
    expect(calls()).toBe(spent);
    await worker.stop();
  });

  test('while Redis cannot be asked', async () => {
    const worker = await startWorker();
    world.retrieval.behave({ hang: true });
    const turn = await submit(subject);
    await waitFor(() => isRunning(turn));
    world.testRedis.freeze();
    await cancel(turn);
    // Longer than retrieval is waited for.
    await new Promise((resolve) => setTimeout(resolve, 600));
    world.testRedis.resume();
    await untilIdle();
    expect(calls()).toBe(0);
    await worker.stop();
  });
});

describe('an expired turn asks no model from then on and gives its quota back', () => {
  test('before any worker has begun it', async () => {
    const turn = await submit(subject, { deadlineMs: 300 });
    expect(await quotaLeft()).toEqual([49, 9]);
    await new Promise((resolve) => setTimeout(resolve, 400));
    const worker = await startWorker();
    expect((await turn.ended()).at(-1)).toMatchObject({ type: 'failed', problem: { code: 'deadline_exceeded' } });
    await waitFor(async () => (await quotaLeft())[0] === 50);
    await untilIdle();
    expect(calls()).toBe(0);
    await worker.stop();
  });

  test.each(Object.entries(moments(1_200)).filter(([moment]) => !moment.startsWith('before')))(
    '%s',
    async (moment, { reach, spent }) => {
      const worker = await startWorker();
      // Retrieval is given up before the deadline elsewhere; here the deadline comes first.
      const turn = moment.startsWith('between') ? await moments(250)[moment]!.reach() : await reach();
      const before = await quotaLeft();
      expect((await turn.ended()).at(-1)).toMatchObject({ type: 'failed', problem: { code: 'deadline_exceeded' } });
      await waitFor(async () => (await quotaLeft())[0] === (before[0] ?? 0) + 1);
      await untilIdle();
      expect(calls()).toBe(spent);
      await worker.stop();
    },
  );

  test('while the only models are asked in vain', async () => {
    const worker = await startWorker();
    for (const server of [gemini, openai]) server.behave({ status: 500, delayHeadersMs: 100 });
    const turn = await submit(subject, { deadlineMs: 1_500 });
    const [last] = (await turn.ended()).slice(-1);
    expect(last).toMatchObject({ type: 'failed' });
    const spent = calls();
    await untilIdle();
    expect(calls()).toBe(spent);
    await worker.stop();
  });
});
