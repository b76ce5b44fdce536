import { type GenerateContentRequest, GoogleGenerativeAI } from '@google/generative-ai';
import { z } from 'zod';
import type { ChatModel, ModelFinishReason, ModelRequest } from './chat-model.js';
import { defaultDeadlines, type ModelDeadlines, type ProviderChunk, streamWithin } from './deadlines.js';
import { toGeminiError } from './gemini-errors.js';
import { ModelError } from './model-error.js';
import { buildPrompt } from './prompt.js';
import { toReplyPieces } from './reply-pieces.js';

export interface GeminiModelOptions {
  apiKey: string;
  /** Default gemini-3.8-flash. */
  model?: string | undefined;
  /** Default Google's. Without the version: the SDK adds /v1beta. */
  baseUrl?: string | undefined;
  deadlines?: ModelDeadlines | undefined;
  /** Longest reply in tokens, thinking included. Default 2048. */
  maxOutputTokens?: number | undefined;
}

/** 2.5 is shut down in December 2026; the newest flash model is the one Google recommends for chat. */
export const defaultGeminiModel = 'gemini-3.8-flash';

const chunkSchema = z.object({
  candidates: z
    .array(
      z.object({
        content: z
          .object({
            parts: z.array(z.object({ text: z.string().optional(), thought: z.boolean().optional() })).optional(),
          })
          .optional(),
        finishReason: z.string().optional(),
      }),
    )
    .optional(),
  promptFeedback: z.object({ blockReason: z.string().optional() }).optional(),
  usageMetadata: z
    .object({
      promptTokenCount: z.number().optional(),
      candidatesTokenCount: z.number().optional(),
      thoughtsTokenCount: z.number().optional(),
    })
    .optional(),
  error: z.unknown().optional(),
});

const finishReasons: Record<string, ModelFinishReason> = {
  STOP: 'stop',
  MAX_TOKENS: 'length',
  SAFETY: 'blocked',
  RECITATION: 'blocked',
  LANGUAGE: 'blocked',
  BLOCKLIST: 'blocked',
  PROHIBITED_CONTENT: 'blocked',
  SPII: 'blocked',
};

/** Google's Gemini through its SDK, streaming. */
export function makeGeminiModel(options: GeminiModelOptions): ChatModel {
  const name = options.model ?? defaultGeminiModel;
  const client = new GoogleGenerativeAI(options.apiKey);
  const generationConfig = { maxOutputTokens: options.maxOutputTokens ?? 2_048, ...thinking(name) };

  async function open(request: ModelRequest, signal: AbortSignal): Promise<AsyncIterator<ProviderChunk>> {
    const prompt = buildPrompt(request);
    const model = client.getGenerativeModel(
      { model: name, systemInstruction: prompt.system, generationConfig },
      requestOptions(options.baseUrl),
    );
    const body: GenerateContentRequest = {
      contents: prompt.turns.map(({ role, text }) => ({ role: role === 'user' ? 'user' : 'model', parts: [{ text }] })),
    };
    const result = await model.generateContentStream(body, { signal });
    // The SDK reads the same stream a second time for this promise; nobody awaits it, and it rejects when the stream is cut.
    result.response.catch(() => {});
    return readChunks(result.stream);
  }

  return {
    provider: 'gemini',
    model: name,
    stream: (request, signal) => {
      let began = false;
      const call = {
        provider: 'gemini' as const,
        open: async (inner: AbortSignal) => {
          const chunks = await open(request, inner);
          began = true;
          return chunks;
        },
        toModelError: (error: unknown) => toGeminiError(error, began),
      };
      return toReplyPieces(streamWithin(call, options.deadlines ?? defaultDeadlines, signal), 'gemini', request);
    },
  };
}

/** The SDK adds the version itself. */
export function requestOptions(baseUrl: string | undefined): { baseUrl?: string } {
  return baseUrl === undefined ? {} : { baseUrl: baseUrl.replace(/\/+$/, '').replace(/\/v1(beta)?$/, '') };
}

/** A chat reply must begin within seconds, so models that think are told to think little. Others refuse the field. */
function thinking(model: string): { thinkingConfig?: { thinkingBudget: number } | { thinkingLevel: string } } {
  if (/^gemini-2\.5-flash/.test(model)) return { thinkingConfig: { thinkingBudget: 0 } };
  if (/^gemini-([3-9]|\d\d)|^gemini-(flash|pro)(-lite)?-latest/.test(model))
    return { thinkingConfig: { thinkingLevel: 'low' } };
  return {};
}

async function* readChunks(stream: AsyncIterable<unknown>): AsyncGenerator<ProviderChunk> {
  for await (const raw of stream) {
    const parsed = chunkSchema.safeParse(raw);
    if (!parsed.success || parsed.data.error !== undefined) {
      throw new ModelError('malformed', 'gemini', 'a chunk is not what the API describes', { cause: parsed.error });
    }
    yield toChunk(parsed.data);
  }
}

function toChunk(chunk: z.infer<typeof chunkSchema>): ProviderChunk {
  const candidate = chunk.candidates?.[0];
  const parts = candidate?.content?.parts ?? [];
  const usage = chunk.usageMetadata;
  return {
    text: parts.map((part) => (part.thought ? '' : (part.text ?? ''))).join(''),
    finish: chunk.promptFeedback?.blockReason ? 'blocked' : finishOf(candidate?.finishReason),
    usage: usage
      ? {
          input_tokens: usage.promptTokenCount ?? 0,
          output_tokens: (usage.candidatesTokenCount ?? 0) + (usage.thoughtsTokenCount ?? 0),
        }
      : null,
  };
}

function finishOf(reason: string | undefined): ModelFinishReason | null {
  if (reason === undefined || reason === 'FINISH_REASON_UNSPECIFIED') return null;
  const known = finishReasons[reason];
  if (known === undefined) throw new ModelError('malformed', 'gemini', `it stopped with ${reason.slice(0, 40)}`);
  return known;
}
