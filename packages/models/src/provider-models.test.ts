import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  type ModelBehaviour,
  type ModelServer,
  startGeminiServer,
  startOpenAiServer,
  waitFor,
} from '@sidestage/testkit';
import type { ChatModel } from './chat-model.js';
import type { ModelDeadlines } from './deadlines.js';
import { makeGeminiModel } from './gemini-model.js';
import { ModelError } from './model-error.js';
import { makeOpenAiModel } from './openai-model.js';
import { collectReply, makeRequest } from './testing/requests.js';

const patient: ModelDeadlines = { firstTokenMs: 5_000, gapMs: 5_000, totalMs: 10_000 };
const hasty: ModelDeadlines = { firstTokenMs: 150, gapMs: 150, totalMs: 10_000 };

const providers = [
  {
    name: 'gemini' as const,
    start: startGeminiServer,
    make: (baseUrl: string, deadlines: ModelDeadlines): ChatModel =>
      makeGeminiModel({ apiKey: 'key', baseUrl, deadlines }),
  },
  {
    name: 'openai' as const,
    start: startOpenAiServer,
    make: (baseUrl: string, deadlines: ModelDeadlines): ChatModel =>
      makeOpenAiModel({ apiKey: 'key', model: 'local', baseUrl, deadlines }),
  },
];

describe.each(providers)('a reply of $name', ({ name, start, make }) => {
  let server: ModelServer;

  beforeAll(async () => {
    server = await start();
  });
  afterAll(() => server.close());
  beforeEach(() => {
    server.behave({});
    server.requests.length = 0;
  });

  function reply(behaviour: ModelBehaviour, deadlines = patient, signal?: AbortSignal) {
    server.behave(behaviour);
    return collectReply(make(server.url, deadlines), makeRequest(), signal);
  }

  async function fault(behaviour: ModelBehaviour, deadlines = patient): Promise<ModelError> {
    const error: unknown = await reply(behaviour, deadlines).then(
      () => new Error('the reply was whole'),
      (thrown: unknown) => thrown,
    );
    if (!(error instanceof ModelError)) throw error;
    expect(error.provider).toBe(name);
    return error;
  }

  it('streams text without marks, with real citations, and ends with the provider’s token counts', async () => {
    const whole = await reply({ reply: 'The dough rests for four hours [1]. Bye.' });
    expect(whole.text).toBe('The dough rests for four hours. Bye.');
    expect(whole.citations).toEqual([
      { type: 'citation', passageIndex: 0, quote: 'The dough rests for four hours at room temperature.' },
    ]);
    expect(whole.finish?.finish_reason).toBe('stop');
    expect(whole.finish?.usage.output_tokens).toBe(Math.ceil('The dough rests for four hours [1]. Bye.'.length / 4));
    expect(whole.finish?.usage.input_tokens).toBeGreaterThan(50);
    expect(whole.pieces.filter((piece) => piece.type === 'text').length).toBeGreaterThan(4);
  });

  it('is asked for with persona, history and message', async () => {
    const history = [
      { role: 'fan' as const, text: 'What is a poolish?' },
      { role: 'creator' as const, text: 'A wet pre-ferment.' },
    ];
    await collectReply(make(server.url, patient), makeRequest({ history }));
    const sent = JSON.stringify(server.requests[0]?.body);
    for (const part of [
      'Warm and exact.',
      'What is a poolish?',
      'A wet pre-ferment.',
      'How long does the dough rest?',
    ]) {
      expect(sent).toContain(part);
    }
  });

  it('that uses a marker-free sentence of a passage is cited all the same', async () => {
    const whole = await reply({ reply: 'Well, the dough rests for four hours at room temperature. So relax.' });
    expect(whole.citations.map(({ quote }) => quote)).toEqual(['The dough rests for four hours at room temperature.']);
  });

  it('that stops at a length or is blocked says so', async () => {
    expect((await reply({ finish: 'length' })).finish?.finish_reason).toBe('length');
    expect((await reply({ block: 'prompt' })).finish?.finish_reason).toBe('blocked');
    expect((await reply({ block: 'stream', blockAfterWords: 2 })).finish?.finish_reason).toBe('blocked');
  });

  it('without words counts as blocked, and at a length limit as length', async () => {
    expect(await reply({ reply: '' })).toMatchObject({ text: '', finish: { finish_reason: 'blocked' } });
    expect(await reply({ reply: ' \n \u200b ' })).toMatchObject({ text: '', finish: { finish_reason: 'blocked' } });
    expect((await reply({ reply: '', finish: 'length' })).finish?.finish_reason).toBe('length');
  });

  it('without token counts is counted by us', async () => {
    const whole = await reply({ reply: 'Twelve chars', omitUsage: true });
    expect(whole.finish?.usage.output_tokens).toBe(3);
  });

  it('refused for now tells how long to wait', async () => {
    expect(await fault({ status: 429, retryAfterSeconds: 58 })).toMatchObject({
      kind: 'rate_limited',
      retryable: true,
      retryAfterMs: 58_000,
      status: 429,
    });
    expect((await fault({ status: 429 })).retryAfterMs).toBeUndefined();
    expect((await fault({ status: 503, retryAfterSeconds: 1.5 })).retryAfterMs).toBe(1_500);
  });

  it.each([
    [500, 'server', true],
    [503, 'server', true],
    [504, 'timeout', true],
    [400, 'refused_request', false],
    [404, 'refused_request', false],
    [401, 'auth', false],
    [403, 'auth', false],
  ] as const)('that fails with %i is %s', async (status, kind, retryable) => {
    expect(await fault({ status })).toMatchObject({ kind, retryable, status });
  });

  it('from an address where nobody listens is a server error', async () => {
    const model = make('http://127.0.0.1:9', patient);
    await expect(collectReply(model)).rejects.toMatchObject({ kind: 'server', retryable: true });
  });

  it('that does not begin, stalls in the middle or never sends headers ends by our own deadline and lets go of the server', async () => {
    for (const [behaviour, awaited] of [
      [{ stallAfterWords: 0 }, 'first words'],
      [{ stallAfterWords: 3 }, 'next words'],
      [{ hang: true }, 'first words'],
      [{ firstTokenMs: 60_000 }, 'first words'],
    ] as const) {
      const { kind, message } = await fault(behaviour, hasty);
      expect({ kind, message }).toEqual({
        kind: 'timeout',
        message: expect.stringContaining(`ms for the ${awaited}`),
      });
    }
    await waitFor(() => server.openStreams === 0, { what: 'the server is left alone' });
    expect(server.requests.every(({ abandoned }) => abandoned)).toBe(true);
  });

  it('that drips for ever ends at the total', async () => {
    const error = await fault({ tokenDelayMs: 60 }, { firstTokenMs: 1_000, gapMs: 1_000, totalMs: 400 });
    expect(error).toMatchObject({ kind: 'timeout', message: expect.stringContaining('end of the reply') });
  });

  it('may be read slowly by its caller without any deadline passing', async () => {
    server.behave({ tokenDelayMs: 5 });
    let pieces = 0;
    for await (const piece of make(server.url, hasty).stream(makeRequest(), new AbortController().signal)) {
      pieces += piece.type === 'text' ? 1 : 0;
      if (pieces < 4) await new Promise((resolve) => setTimeout(resolve, 200));
    }
    expect(pieces).toBeGreaterThan(4);
  });

  it('with bytes that are no JSON, or no finish reason, is malformed', async () => {
    expect((await fault({ malformedAfterWords: 0 })).kind).toBe('malformed');
    expect((await fault({ malformedAfterWords: 3 })).kind).toBe('malformed');
    expect((await fault({ finish: 'missing' })).kind).toBe('malformed');
  });

  it('ends when its caller cancels, and when its caller leaves the loop', async () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 50);
    await expect(reply({ tokenDelayMs: 20 }, patient, controller.signal)).rejects.toMatchObject({
      kind: 'aborted',
      retryable: false,
    });
    await expect(reply({}, patient, AbortSignal.abort())).rejects.toMatchObject({ kind: 'aborted' });
    for await (const _ of make(server.url, patient).stream(makeRequest(), new AbortController().signal)) break;
    await waitFor(() => server.openStreams === 0, { what: 'the server is left alone' });
  });

  it('shows no key in its errors', async () => {
    const secret = 'sk-very-secret';
    const model =
      name === 'gemini'
        ? makeGeminiModel({ apiKey: secret, baseUrl: server.url })
        : makeOpenAiModel({ apiKey: secret, baseUrl: server.url });
    server.behave({ status: 401 });
    const error: unknown = await collectReply(model).catch((thrown: unknown) => thrown);
    expect(String(error)).not.toContain(secret);
  });

  it.each([true, false])(
    'cut at every byte is never taken for a whole one (closed as if all were sent: %s)',
    async (clean) => {
      const said = 'Rest – it [1]. 👩‍🍳 ok';
      const bytes = await bodyLength(server, make(server.url, patient), said);
      const model = make(server.url, patient);
      const outcomes = await inBatches(bytes + 1, 24, async (atByte) => {
        server.next({ reply: said, wordsPerChunk: 2, omitUsage: true, cut: { atByte, clean } });
        return collectReply(model).then(
          (whole) => whole,
          (error: unknown) => error,
        );
      });
      const whole = outcomes.filter((outcome) => !(outcome instanceof ModelError));
      for (const outcome of whole) {
        expect(outcome).toMatchObject({ text: 'Rest – it. 👩‍🍳 ok', finish: { finish_reason: 'stop' } });
      }
      for (const outcome of outcomes)
        if (outcome instanceof ModelError) expect(outcome.kind).toMatch(/malformed|server/);
      expect(outcomes.length - whole.length).toBeGreaterThan(bytes / 3);
      expect(whole.length).toBeGreaterThanOrEqual(1);
    },
    60_000,
  );
});

/** The bytes of a whole answer, asked for as the SDK asks. */
async function bodyLength(server: ModelServer, { provider, model }: ChatModel, said: string): Promise<number> {
  server.next({ reply: said, wordsPerChunk: 2, omitUsage: true });
  const turn =
    provider === 'gemini'
      ? {
          path: `/v1beta/models/${model}:streamGenerateContent?alt=sse`,
          body: { contents: [{ parts: [{ text: 'hi' }] }] },
        }
      : { path: '/chat/completions', body: { model, stream: true, messages: [{ role: 'user', content: 'hi' }] } };
  const answer = await fetch(server.url + turn.path, {
    method: 'POST',
    headers: { 'x-goog-api-key': 'key', 'content-type': 'application/json' },
    body: JSON.stringify(turn.body),
  });
  return (await answer.arrayBuffer()).byteLength;
}

async function inBatches<T>(count: number, size: number, run: (index: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let at = 0; at < count; at += size) {
    const batch = Array.from({ length: Math.min(size, count - at) }, (_, index) => run(at + index));
    results.push(...(await Promise.all(batch)));
  }
  return results;
}
