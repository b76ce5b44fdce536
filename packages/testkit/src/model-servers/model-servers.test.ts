import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { ModelServer } from './behaviour.js';
import { startGeminiServer, startOpenAiServer } from './index.js';

const main = fileURLToPath(new URL('../../dist/model-servers/main.js', import.meta.url));
const opened: ModelServer[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((server) => server.close()));
});

async function open(start: typeof startGeminiServer): Promise<ModelServer> {
  const server = await start();
  opened.push(server);
  return server;
}

function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-goog-api-key': 'key', ...headers },
    body: JSON.stringify(body),
  });
}

const question =
  '<material>\n[1] "Rest", from 0:12\nDough rests for four hours here.\n</material>\n\nThe fan\'s message:\nHow long?';
const geminiBody = { contents: [{ role: 'user', parts: [{ text: question }] }] };
const openAiBody = { model: 'm', stream: true, messages: [{ role: 'user', content: question }] };

describe('the Gemini server', () => {
  it('streams what Google streams and answers from the prompt with marks', async () => {
    const server = await open(startGeminiServer);
    const answer = await post(`${server.url}/v1beta/models/g:streamGenerateContent?alt=sse`, geminiBody);
    expect(answer.headers.get('content-type')).toContain('text/event-stream');
    const events = (await answer.text())
      .trimEnd()
      .split('\r\n\r\n')
      .map((event) => JSON.parse(event.slice(6)));
    const text = events.map((event) => event.candidates[0].content.parts[0].text).join('');
    expect(text).toBe('You asked "How long?". Dough rests for four hours here [1].');
    expect(events.at(-1).candidates[0].finishReason).toBe('STOP');
    expect(events.at(-1).usageMetadata.totalTokenCount).toBeGreaterThan(10);
  });

  it('refuses as Google refuses', async () => {
    const server = await open(startGeminiServer);
    server.next({ status: 429, retryAfterSeconds: 58 });
    const answer = await post(`${server.url}/v1beta/models/g:generateContent`, geminiBody);
    expect(answer.status).toBe(429);
    expect(await answer.json()).toMatchObject({
      error: {
        code: 429,
        status: 'RESOURCE_EXHAUSTED',
        details: [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '58s' }],
      },
    });
    expect((await post(`${server.url}/v1beta/models/g:generateContent`, geminiBody)).status).toBe(200);
    expect((await post(`${server.url}/v1beta/models/g:generateContent`, { contents: [] })).status).toBe(400);
    expect((await post(`${server.url}/v1beta/models/g:paint`, geminiBody)).status).toBe(404);
  });
});

describe('the OpenAI server', () => {
  it('streams what OpenAI streams, ending with usage and [DONE]', async () => {
    const server = await open(startOpenAiServer);
    const body = { ...openAiBody, stream_options: { include_usage: true } };
    const events = (await (await post(`${server.url}/chat/completions`, body)).text()).trimEnd().split('\n\n');
    expect(events.at(-1)).toBe('data: [DONE]');
    expect(JSON.parse(events.at(-2)?.slice(6) ?? '')).toMatchObject({
      choices: [],
      usage: { prompt_tokens: expect.any(Number) },
    });
    expect(JSON.parse(events.at(-3)?.slice(6) ?? '')).toMatchObject({ choices: [{ finish_reason: 'stop' }] });
  });

  it('lists models and answers without a stream', async () => {
    const server = await open(startOpenAiServer);
    expect(await (await fetch(`${server.url}/models`)).json()).toMatchObject({
      object: 'list',
      data: [{ object: 'model' }],
    });
    const answer = await post(`${server.url}/chat/completions`, { ...openAiBody, stream: false });
    expect(await answer.json()).toMatchObject({ choices: [{ message: { role: 'assistant' }, finish_reason: 'stop' }] });
  });
});

describe('a model server', () => {
  it('records requests, and that a client left', async () => {
    const server = await open(startOpenAiServer);
    server.next({ stallAfterWords: 1 });
    const controller = new AbortController();
    const answer = await fetch(`${server.url}/chat/completions`, {
      method: 'POST',
      body: JSON.stringify(openAiBody),
      signal: controller.signal,
    });
    expect([server.openStreams, server.requests.length]).toEqual([1, 1]);
    const read = answer.text().catch(() => 'left');
    controller.abort();
    expect(await read).toBe('left');
    for (let turn = 0; turn < 100 && server.openStreams > 0; turn += 1)
      await new Promise((done) => setTimeout(done, 10));
    expect(server.requests[0]).toMatchObject({ path: '/v1/chat/completions', abandoned: true, body: openAiBody });
  });

  it('hurries the reply it is sending and not the next', async () => {
    const server = await open(startOpenAiServer);
    server.behave({ reply: 'One two three four five six.', tokenDelayMs: 600_000 });
    const slow = await post(`${server.url}/chat/completions`, openAiBody);
    server.hurry();
    expect(await slow.text()).toContain('"six."');
    const next = await post(`${server.url}/chat/completions`, openAiBody);
    const first = await next.body?.getReader().read();
    expect(new TextDecoder().decode(first?.value)).not.toContain('"two');
  });

  it('runs as a process whose behaviour is switched over HTTP', async () => {
    const child = spawn(process.execPath, [main, 'gemini'], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      const [line] = await once(child.stdout, 'data');
      const { url, port } = JSON.parse(String(line));
      expect(url).toBe(`http://127.0.0.1:${port}`);
      const chat = () => post(`${url}/v1beta/models/g:generateContent`, geminiBody).then((answer) => answer.status);
      await post(`${url}/control/behaviour`, { default: { status: 503 }, next: [{ status: 500 }] });
      expect([await chat(), await chat(), await chat()]).toEqual([500, 503, 503]);
      await post(`${url}/control/behaviour`, { default: {} });
      expect(await chat()).toBe(200);
      const recorded: unknown = await (await fetch(`${url}/control/requests`)).json();
      expect(recorded).toMatchObject({ requests: [{}, {}, {}, {}] });
      expect((await post(`${url}/control/behaviour`, { default: { colour: 'red' } })).status).toBe(422);
    } finally {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    expect(child.exitCode).toBe(0);
  });
});
