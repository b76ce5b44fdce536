import { ModelError } from '../model-error.js';
import { type OpenAiClient, openAiBaseUrl, openOpenAi } from '../openai-client.js';
import type { EmbeddingModel } from './embedding-model.js';
import { makeRemoteEmbeddings } from './remote-batches.js';

export interface OpenAiEmbeddingsOptions {
  apiKey?: string | undefined;
  /** Default text-embedding-3-small. */
  model?: string | undefined;
  /** What the model gives; default 1536, the default model's. */
  dimensions?: number | undefined;
  baseUrl?: string | undefined;
  /** Milliseconds for one request. Default 30,000. */
  timeoutMs?: number | undefined;
}

/** Embeddings of any server that speaks OpenAI's `/v1/embeddings`. */
export function makeOpenAiEmbeddings(options: OpenAiEmbeddingsOptions): EmbeddingModel {
  const name = options.model ?? 'text-embedding-3-small';
  const timeoutMs = options.timeoutMs ?? 30_000;
  const openAi = openOpenAi({ apiKey: options.apiKey, baseUrl: options.baseUrl ?? openAiBaseUrl, timeoutMs });
  let opened: OpenAiClient | null = null;
  // Only this family of models takes the field; others refuse it.
  const shortened =
    options.dimensions !== undefined && name.startsWith('text-embedding-3') ? { dimensions: options.dimensions } : {};

  return makeRemoteEmbeddings({
    provider: 'openai',
    name: `${name.replaceAll('/', '-')}-${options.dimensions ?? 1_536}`,
    dimensions: options.dimensions ?? 1_536,
    batchSize: 128,
    timeoutMs,
    toModelError: (error) =>
      opened?.toModelError(error, true) ??
      new ModelError('server', 'openai', 'its SDK could not be loaded', { cause: error }),
    request: async (texts, _use, signal) => {
      const body = { model: name, input: [...texts], encoding_format: 'float' as const, ...shortened };
      opened = await openAi();
      const answer = await opened.client.embeddings.create(body, { signal });
      const rows = [...(answer.data ?? [])].sort((a, b) => a.index - b.index);
      return rows.map((row) => row.embedding);
    },
  });
}
