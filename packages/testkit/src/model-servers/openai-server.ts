import { z } from 'zod';
import type { ModelBehaviour, ModelServer } from './behaviour.js';
import { countTokens, defaultReply } from './default-reply.js';
import { beforeHeaders, type ModelCall, type ModelServerOptions, sendJson, startModelServer } from './http-server.js';
import { playStream, type StreamFrames } from './stream-script.js';
import { textVector } from './vectors.js';

const chatBody = z.object({
  model: z.string(),
  messages: z.array(z.object({ role: z.string(), content: z.string() })).min(1),
  stream: z.boolean().optional(),
  stream_options: z.object({ include_usage: z.boolean().optional() }).nullish(),
});
const embeddingsBody = z.object({
  model: z.string(),
  input: z.union([z.string(), z.array(z.string()).min(1).max(2_048)]),
  encoding_format: z.enum(['float', 'base64']).optional(),
  dimensions: z.number().int().min(1).max(3_072).optional(),
});

/** A local server true to the wire of OpenAI's API. `url` ends in /v1 and is what `OPENAI_BASE_URL` is set to. */
export function startOpenAiServer(options: ModelServerOptions = {}): Promise<ModelServer> {
  return startModelServer(options, '/v1', handle);
}

async function handle(call: ModelCall): Promise<void> {
  if (call.path === '/v1/models' && call.method === 'GET') return listModels(call);
  if (call.path === '/v1/embeddings' && call.method === 'POST') return embed(call);
  if (call.path === '/v1/chat/completions' && call.method === 'POST') return chat(call);
  sendError(call, 404, `Invalid URL (${call.method} ${call.path})`, 'not_found');
}

async function chat(call: ModelCall): Promise<void> {
  const body = chatBody.safeParse(call.body);
  if (!body.success) return sendError(call, 400, body.error.message, 'invalid_request');
  const behaviour = call.takeBehaviour();
  if (!(await beforeHeaders(call.response, behaviour))) return;
  if (behaviour.status !== undefined) return sendFault(call, behaviour, behaviour.status);
  if (behaviour.block === 'prompt') return sendError(call, 400, 'The prompt was filtered.', 'content_filter');
  const turns = body.data.messages.map(({ content }) => content);
  const reply = behaviour.reply ?? defaultReply(turns);
  if (!body.data.stream) return sendWhole(call, behaviour, body.data.model, turns.join('\n'), reply);
  const withUsage = body.data.stream_options?.include_usage === true && !behaviour.omitUsage;
  const usage = withUsage ? usageOf(turns.join('\n'), reply) : null;
  return playStream(call, reply, behaviour, makeFrames(body.data.model, usage));
}

function makeFrames(model: string, usage: object | null): StreamFrames {
  const base = { id: 'chatcmpl-local', object: 'chat.completion.chunk', created: 1_700_000_000, model };
  const chunk = (delta: object, finish: string | null) =>
    event({ ...base, choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }] });
  const trailer = (usage ? event({ ...base, choices: [], usage }) : '') + done;
  return {
    opening: chunk({ role: 'assistant', content: '', refusal: null }, null),
    words: (text) => chunk({ content: text }, null),
    blocked: chunk({}, 'content_filter') + trailer,
    malformed: 'data: {"id":"chatcmpl-local","choices":[{"del\n\n',
    ending: (finish) => (finish === 'missing' ? '' : chunk({}, finish)) + (finish === 'missing' ? done : trailer),
  };
}

async function sendWhole(
  call: ModelCall,
  behaviour: ModelBehaviour,
  model: string,
  prompt: string,
  reply: string,
): Promise<void> {
  const finish = behaviour.block ? 'content_filter' : behaviour.finish === 'length' ? 'length' : 'stop';
  const message = { role: 'assistant', content: reply, refusal: null };
  sendJson(call.response, 200, {
    id: 'chatcmpl-local',
    object: 'chat.completion',
    created: 1_700_000_000,
    model,
    choices: [{ index: 0, message, logprobs: null, finish_reason: finish }],
    usage: usageOf(prompt, reply),
  });
}

function usageOf(prompt: string, reply: string): object {
  const [input, output] = [countTokens(prompt), countTokens(reply)];
  return { prompt_tokens: input, completion_tokens: output, total_tokens: input + output };
}

async function listModels(call: ModelCall): Promise<void> {
  const model = { id: 'local-model', object: 'model', created: 1_700_000_000, owned_by: 'sidestage' };
  sendJson(call.response, 200, { object: 'list', data: [model] });
}

async function embed(call: ModelCall): Promise<void> {
  const body = embeddingsBody.safeParse(call.body);
  if (!body.success) return sendError(call, 400, body.error.message, 'invalid_request');
  const { model, input, encoding_format: format, dimensions } = body.data;
  const texts = typeof input === 'string' ? [input] : input;
  const data = texts.map((text, index) => {
    const vector = textVector(text, dimensions ?? 1_536);
    const embedding = format === 'float' ? vector : Buffer.from(Float32Array.from(vector).buffer).toString('base64');
    return { object: 'embedding', index, embedding };
  });
  const tokens = texts.reduce((sum, text) => sum + countTokens(text), 0);
  sendJson(call.response, 200, { object: 'list', data, model, usage: { prompt_tokens: tokens, total_tokens: tokens } });
}

function sendFault(call: ModelCall, behaviour: ModelBehaviour, status: number): void {
  const usual = status === 429 ? 'rate_limit_exceeded' : status === 401 ? 'invalid_api_key' : null;
  const headers: Record<string, string> =
    behaviour.retryAfterSeconds === undefined ? {} : { 'retry-after': String(behaviour.retryAfterSeconds) };
  sendError(call, status, `The model server was told to answer ${status}.`, behaviour.errorCode ?? usual, headers);
}

function sendError(
  call: ModelCall,
  status: number,
  message: string,
  code: string | null,
  headers: Record<string, string> = {},
): void {
  const type = status === 429 ? 'requests' : status >= 500 ? 'server_error' : 'invalid_request_error';
  sendJson(call.response, status, { error: { message, type, param: null, code } }, headers);
}

const done = 'data: [DONE]\n\n';

function event(data: object): string {
  return `data: ${JSON.stringify(data)}\n\n`;
}
