import { z } from 'zod';
import type { ModelBehaviour, ModelServer } from './behaviour.js';
import { countTokens, defaultReply } from './default-reply.js';
import { beforeHeaders, type ModelCall, type ModelServerOptions, sendJson, startModelServer } from './http-server.js';
import { playStream, type StreamFrames } from './stream-script.js';
import { textVector } from './vectors.js';

const content = z.object({ role: z.string().optional(), parts: z.array(z.object({ text: z.string() })).min(1) });
const generateBody = z.object({ contents: z.array(content).min(1), systemInstruction: content.optional() });
const embedBody = z.object({ content, outputDimensionality: z.number().int().min(1).max(3072).optional() });
const batchBody = z.object({
  requests: z
    .array(embedBody.extend({ model: z.string() }))
    .min(1)
    .max(100),
});

const statusNames: Record<number, string> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  429: 'RESOURCE_EXHAUSTED',
  500: 'INTERNAL',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
};

/** A local server true to the wire of Google's Gemini API (v1beta). `url` is what `GOOGLE_BASE_URL` is set to. */
export function startGeminiServer(options: ModelServerOptions = {}): Promise<ModelServer> {
  return startModelServer(options, '', handle);
}

async function handle(call: ModelCall): Promise<void> {
  const route = /^\/v1(?:beta)?\/models\/([^/:]+):([A-Za-z]+)$/.exec(call.path);
  const [, model = '', task = ''] = route ?? [];
  if (!route || call.method !== 'POST') return sendError(call, 404, 'Requested entity was not found.');
  if (!call.headers['x-goog-api-key'] && !call.query.get('key')) {
    return sendError(call, 403, "Method doesn't allow unregistered callers.");
  }
  if (task === 'embedContent') return embed(call);
  if (task === 'batchEmbedContents') return embedBatch(call);
  if (task !== 'streamGenerateContent' && task !== 'generateContent')
    return sendError(call, 404, `${task} is not found.`);
  const body = generateBody.safeParse(call.body);
  if (!body.success) return sendError(call, 400, `Invalid JSON payload received. ${body.error.message}`);
  const behaviour = call.takeBehaviour();
  if (!(await beforeHeaders(call.response, behaviour))) return;
  if (behaviour.status !== undefined) return sendFault(call, behaviour, behaviour.status);
  const turns = body.data.contents.map(textOf);
  const prompt = [body.data.systemInstruction ? textOf(body.data.systemInstruction) : '', ...turns].join('\n');
  const reply = behaviour.reply ?? defaultReply(turns);
  if (task === 'generateContent') return sendWhole(call, behaviour, model, prompt, reply);
  const frames = makeFrames(behaviour, model, prompt, reply);
  if (behaviour.block === 'prompt')
    return playStream(call, '', { ...behaviour, block: 'stream', blockAfterWords: 0 }, frames);
  return playStream(call, reply, behaviour, frames);
}

function makeFrames(behaviour: ModelBehaviour, model: string, prompt: string, reply: string): StreamFrames {
  const usage = usageOf(behaviour, prompt, reply);
  const candidate = (text: string, finishReason?: string) => ({
    candidates: [
      { content: { parts: [{ text }], role: 'model' }, ...(finishReason ? { finishReason } : {}), index: 0 },
    ],
    ...usage,
    modelVersion: model,
    responseId: 'local',
  });
  const blocked =
    behaviour.block === 'prompt'
      ? { promptFeedback: { blockReason: 'PROHIBITED_CONTENT' }, ...usage, modelVersion: model }
      : {
          candidates: [{ finishReason: 'SAFETY', index: 0, safetyRatings: [dangerous] }],
          ...usage,
          modelVersion: model,
        };
  return {
    opening: '',
    words: (text) => event(candidate(text)),
    blocked: event(blocked),
    malformed: 'data: {"candidates": [{"content": {"parts": [{"te\r\n\r\n',
    ending: (finish) => (finish === 'missing' ? '' : event(candidate('', finish === 'length' ? 'MAX_TOKENS' : 'STOP'))),
  };
}

const dangerous = { category: 'HARM_CATEGORY_DANGEROUS_CONTENT', probability: 'HIGH', blocked: true };

async function sendWhole(
  call: ModelCall,
  behaviour: ModelBehaviour,
  model: string,
  prompt: string,
  reply: string,
): Promise<void> {
  const usage = usageOf(behaviour, prompt, reply);
  if (behaviour.block === 'prompt') {
    return sendJson(call.response, 200, { promptFeedback: { blockReason: 'PROHIBITED_CONTENT' }, ...usage });
  }
  const finishReason = behaviour.block ? 'SAFETY' : behaviour.finish === 'length' ? 'MAX_TOKENS' : 'STOP';
  const candidate = { content: { parts: [{ text: reply }], role: 'model' }, finishReason, index: 0 };
  sendJson(call.response, 200, { candidates: [candidate], ...usage, modelVersion: model });
}

function usageOf(behaviour: ModelBehaviour, prompt: string, reply: string): object {
  if (behaviour.omitUsage) return {};
  const promptTokenCount = countTokens(prompt);
  const candidatesTokenCount = countTokens(reply);
  return {
    usageMetadata: { promptTokenCount, candidatesTokenCount, totalTokenCount: promptTokenCount + candidatesTokenCount },
  };
}

async function embed(call: ModelCall): Promise<void> {
  const body = embedBody.safeParse(call.body);
  if (!body.success) return sendError(call, 400, body.error.message);
  sendJson(call.response, 200, { embedding: vectorOf(body.data) });
}

async function embedBatch(call: ModelCall): Promise<void> {
  const body = batchBody.safeParse(call.body);
  if (!body.success) return sendError(call, 400, body.error.message);
  sendJson(call.response, 200, { embeddings: body.data.requests.map(vectorOf) });
}

/** Google normalises only the full size: shorter ones come at their own length, which callers must know. */
function vectorOf({ content: asked, outputDimensionality }: z.infer<typeof embedBody>): { values: number[] } {
  const vector = textVector(textOf(asked), outputDimensionality ?? 3_072);
  return { values: outputDimensionality === undefined ? vector : vector.map((value) => value * 0.7) };
}

function sendFault(call: ModelCall, behaviour: ModelBehaviour, status: number): void {
  const { retryAfterSeconds, errorCode } = behaviour;
  const details: object[] = [];
  if (errorCode) {
    details.push({ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: errorCode, domain: 'googleapis.com' });
  }
  if (retryAfterSeconds !== undefined) {
    details.push({ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: `${retryAfterSeconds}s` });
  }
  sendError(call, status, `The model server was told to answer ${status}.`, details);
}

function sendError(call: ModelCall, code: number, message: string, details: object[] = []): void {
  const error = { code, message, status: statusNames[code] ?? 'UNKNOWN', ...(details.length > 0 ? { details } : {}) };
  sendJson(call.response, code, { error });
}

function textOf({ parts }: z.infer<typeof content>): string {
  return parts.map(({ text }) => text).join('');
}

/** Google ends its lines with CR LF. */
function event(data: object): string {
  return `data: ${JSON.stringify(data)}\r\n\r\n`;
}
