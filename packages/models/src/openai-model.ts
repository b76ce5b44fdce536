import type { ChatCompletionCreateParamsStreaming } from 'openai/resources/chat/completions';
import { z } from 'zod';
import type { ChatModel, ModelFinishReason, ModelRequest } from './chat-model.js';
import { defaultDeadlines, type ModelDeadlines, type ProviderChunk, streamWithin } from './deadlines.js';
import { ModelError } from './model-error.js';
import { type OpenAiClient, openAiBaseUrl, openOpenAi } from './openai-client.js';
import { buildPrompt } from './prompt.js';
import { toReplyPieces } from './reply-pieces.js';

export interface OpenAiModelOptions {
  /** Servers of one's own often need none. */
  apiKey?: string | undefined;
  /** Default gpt-4.1-mini. */
  model?: string | undefined;
  /** With its version path, for example http://localhost:11434/v1. Default OpenAI's. */
  baseUrl?: string | undefined;
  deadlines?: ModelDeadlines | undefined;
  /** Longest reply in tokens. Default 2048. */
  maxOutputTokens?: number | undefined;
}

export const defaultOpenAiModel = 'gpt-4.1-mini';

const chunkSchema = z.object({
  choices: z
    .array(
      z.object({
        delta: z.object({ content: z.string().nullish(), refusal: z.string().nullish() }).nullish(),
        finish_reason: z.string().nullish(),
      }),
    )
    .nullish(),
  usage: z.object({ prompt_tokens: z.number().nullish(), completion_tokens: z.number().nullish() }).nullish(),
});

/** Any server that speaks OpenAI's chat completions, through OpenAI's SDK, streaming. */
export function makeOpenAiModel(options: OpenAiModelOptions): ChatModel {
  const name = options.model ?? defaultOpenAiModel;
  const deadlines = options.deadlines ?? defaultDeadlines;
  const baseUrl = options.baseUrl ?? openAiBaseUrl;
  const openAi = openOpenAi({ apiKey: options.apiKey, baseUrl, timeoutMs: deadlines.totalMs });
  const maxTokens = options.maxOutputTokens ?? 2_048;
  // OpenAI's newer models refuse max_tokens; other servers know nothing else.
  const limit = baseUrl.startsWith(openAiBaseUrl) ? { max_completion_tokens: maxTokens } : { max_tokens: maxTokens };

  async function open(
    { client, isContentFilter }: OpenAiClient,
    request: ModelRequest,
    signal: AbortSignal,
  ): Promise<AsyncIterator<ProviderChunk>> {
    const prompt = buildPrompt(request);
    const body: ChatCompletionCreateParamsStreaming = {
      model: name,
      messages: [
        { role: 'system', content: prompt.system },
        ...prompt.turns.map(({ role, text }) => ({ role, content: text })),
      ],
      stream: true,
      stream_options: { include_usage: true },
      ...limit,
    };
    try {
      return readChunks(await client.chat.completions.create(body, { signal }));
    } catch (error) {
      if (isContentFilter(error)) return blockedPrompt();
      throw error;
    }
  }

  return {
    provider: 'openai',
    model: name,
    stream: (request, signal) => {
      let began = false;
      let opened: OpenAiClient | null = null;
      const call = {
        provider: 'openai' as const,
        open: async (inner: AbortSignal) => {
          opened = await openAi();
          const chunks = await open(opened, request, inner);
          began = true;
          return chunks;
        },
        toModelError: (error: unknown) =>
          opened?.toModelError(error, began) ??
          new ModelError('server', 'openai', 'its SDK could not be loaded', { cause: error }),
      };
      return toReplyPieces(streamWithin(call, deadlines, signal), 'openai', request);
    },
  };
}

async function* readChunks(stream: AsyncIterable<unknown>): AsyncGenerator<ProviderChunk> {
  let refused = false;
  for await (const raw of stream) {
    const parsed = chunkSchema.safeParse(raw);
    if (!parsed.success) {
      throw new ModelError('malformed', 'openai', 'a chunk is not what the API describes', { cause: parsed.error });
    }
    const choice = parsed.data.choices?.[0];
    const usage = parsed.data.usage;
    refused ||= Boolean(choice?.delta?.refusal);
    const finish = finishOf(choice?.finish_reason);
    yield {
      text: choice?.delta?.content ?? '',
      finish: finish !== null && refused ? 'blocked' : finish,
      usage: usage ? { input_tokens: usage.prompt_tokens ?? 0, output_tokens: usage.completion_tokens ?? 0 } : null,
    };
  }
}

async function* blockedPrompt(): AsyncGenerator<ProviderChunk> {
  yield { text: '', finish: 'blocked', usage: { input_tokens: 0, output_tokens: 0 } };
}

/** Servers invent names for a normal end ("eos", "end_turn"); only the two that mean something else are told apart. */
function finishOf(reason: string | null | undefined): ModelFinishReason | null {
  if (!reason) return null;
  if (reason === 'length' || reason === 'max_tokens') return 'length';
  return reason === 'content_filter' ? 'blocked' : 'stop';
}
