import { afterEach, describe, expect, test } from '@jest/globals';
import {
  type ChatModel,
  ModelError,
  type ModelErrorKind,
  type ModelPiece,
  type ModelProvider,
} from '@sidestage/models';
import { type Breaker, makeBreaker, makeLogger, makeMetrics } from '@sidestage/runtime';
import type { ProviderQuota } from './provider-quota.js';
import { makeReplyLadder, type ReplyListener } from './reply-ladder.js';

const logger = makeLogger({ service: 'test', level: 'CRITICAL' });
const request = { system: '', history: [], message: 'why?', passages: [], creatorName: 'Ada', language: 'en' };
const finish = { type: 'finish', finish_reason: 'stop', usage: { input_tokens: 3, output_tokens: 2 } } as const;

/** A model that does what it is told, call by call; the last lasts. */
function makeTold(provider: ModelProvider, ...told: (ModelErrorKind | 'replies')[]) {
  let calls = 0;
  const model: ChatModel = {
    provider,
    model: 'x',
    async *stream(): AsyncGenerator<ModelPiece> {
      const kind = told[Math.min(calls, told.length - 1)] ?? 'replies';
      calls += 1;
      yield { type: 'text', text: provider };
      if (kind !== 'replies') throw new ModelError(kind, provider, kind, { retryAfterMs: 1_000 });
      yield finish;
    },
  };
  return {
    model,
    get calls() {
      return calls;
    },
  };
}

function makeListener() {
  let text = '';
  const listener: ReplyListener = {
    trace: { turn_id: 't', request_id: null },
    begin: async () => {
      text = '';
    },
    piece: (piece) => {
      if (piece.type === 'text') text += piece.text;
    },
  };
  return { listener, text: () => text };
}

describe('the ladder of models', () => {
  const breakers: Breaker[] = [];
  afterEach(() => {
    for (const breaker of breakers.splice(0)) breaker.close();
  });

  function make(rungs: { model: ChatModel }[], how: { errorPercent?: number } = {}) {
    const ladder = rungs.map(({ model }) => model);
    const waits = new Map<ModelProvider, number>();
    const quota: ProviderQuota = {
      take: async (provider) => waits.get(provider) ?? 0,
      park: async (provider, ms) => void waits.set(provider, ms),
    };
    const own = new Map(
      ladder.map(({ provider }) => {
        const breaker = makeBreaker({
          name: provider,
          errorPercent: how.errorPercent ?? 100,
          resetMs: 60_000,
          logger,
          metrics: makeMetrics('test'),
        });
        breakers.push(breaker);
        return [provider, breaker] as const;
      }),
    );
    const { reply } = makeReplyLadder({ ladder, breakers: own, quota, logger });
    return {
      ask: async () => {
        const { listener, text } = makeListener();
        const result = await reply(request, listener, new AbortController().signal);
        return { ...result, text: text() };
      },
      waits,
      breakerOf: (provider: ModelProvider) => own.get(provider),
    };
  }

  test('asks a failing provider once more, then the next, whose words alone count', async () => {
    const [first, second] = [makeTold('gemini', 'server'), makeTold('openai', 'replies')];
    const { ask } = make([first, second]);
    expect(await ask()).toMatchObject({ kind: 'replied', model: second.model, text: 'openai', usage: finish.usage });
    expect([first.calls, second.calls]).toEqual([2, 1]);
  });

  test.each(['auth', 'refused_request'] as const)('asks nobody twice after %s: it would be the same', async (kind) => {
    const [first, second] = [makeTold('gemini', kind), makeTold('builtin', 'replies')];
    expect(await make([first, second]).ask()).toMatchObject({ kind: 'replied', text: 'builtin' });
    expect(first.calls).toBe(1);
  });

  test('over many failing calls at most one in ten is a retry, beside a few in hand', async () => {
    const failing = makeTold('gemini', 'server');
    const { ask } = make([failing], { errorPercent: 100 });
    const asks = 300;
    const results = await Promise.all(Array.from({ length: asks }, ask));
    expect(results.every(({ kind }) => kind === 'failed')).toBe(true);
    expect(failing.calls).toBeGreaterThan(asks);
    expect(failing.calls - asks).toBeLessThanOrEqual(5 + 0.1 * failing.calls);
  });

  test('a provider that asks for patience is parked as long as it said, and its breaker does not open for it', async () => {
    const patient = makeTold('gemini', ...Array.from({ length: 20 }, () => 'rate_limited' as const), 'replies');
    const { ask, waits, breakerOf } = make([patient], { errorPercent: 1 });
    for (let call = 0; call < 20; call++) {
      expect(await ask()).toMatchObject({ kind: 'wait', waitMs: 1_000 });
      expect(waits.get('gemini')).toBe(1_000);
      expect(await ask()).toMatchObject({ kind: 'wait' });
      waits.clear();
    }
    expect(patient.calls).toBe(20);
    expect(breakerOf('gemini')?.state).toBe('closed');
    expect(await ask()).toMatchObject({ kind: 'replied' });
  });

  test('a provider whose breaker is open is not asked, and the next answers', async () => {
    const [first, second] = [makeTold('gemini', 'server'), makeTold('builtin', 'replies')];
    const { ask, breakerOf } = make([first, second], { errorPercent: 50 });
    while (breakerOf('gemini')?.state === 'closed') await ask();
    const { calls } = first;
    expect(await ask()).toMatchObject({ kind: 'replied', text: 'builtin' });
    expect(first.calls).toBe(calls);
  });

  test('all failing says why; all parked says how long', async () => {
    expect(await make([makeTold('gemini', 'auth'), makeTold('openai', 'malformed')]).ask()).toMatchObject({
      kind: 'failed',
      error: { provider: 'openai', kind: 'malformed' },
    });
    const { ask, waits } = make([makeTold('gemini', 'replies'), makeTold('openai', 'replies')]);
    waits.set('gemini', 9_000).set('openai', 4_000);
    expect(await ask()).toMatchObject({ kind: 'wait', waitMs: 4_000 });
  });
});
