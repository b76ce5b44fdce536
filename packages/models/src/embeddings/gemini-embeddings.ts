import { type EmbedContentRequest, GoogleGenerativeAI, TaskType } from '@google/generative-ai';
import { toGeminiError } from '../gemini-errors.js';
import { requestOptions } from '../gemini-model.js';
import type { EmbeddingModel } from './embedding-model.js';
import { makeRemoteEmbeddings } from './remote-batches.js';

export interface GeminiEmbeddingsOptions {
  apiKey: string;
  /** Default gemini-embedding-001. */
  model?: string | undefined;
  /** 768, 1536 or 3072 for the default model. Default 768. */
  dimensions?: number | undefined;
  baseUrl?: string | undefined;
  /** Milliseconds for one request. Default 30,000. */
  timeoutMs?: number | undefined;
}

/** Embeddings of Google's Gemini. */
export function makeGeminiEmbeddings(options: GeminiEmbeddingsOptions): EmbeddingModel {
  const name = options.model ?? 'gemini-embedding-001';
  const dimensions = options.dimensions ?? 768;
  const model = new GoogleGenerativeAI(options.apiKey).getGenerativeModel(
    { model: name },
    requestOptions(options.baseUrl),
  );

  /** `outputDimensionality` is younger than the SDK's type, which passes on what it does not know. */
  function toRequest(text: string, taskType: TaskType): EmbedContentRequest & { outputDimensionality: number } {
    return { content: { role: 'user', parts: [{ text }] }, taskType, outputDimensionality: dimensions };
  }

  return makeRemoteEmbeddings({
    provider: 'gemini',
    name: `${name}-${dimensions}`,
    dimensions,
    batchSize: 100,
    timeoutMs: options.timeoutMs ?? 30_000,
    toModelError: (error) => toGeminiError(error, true),
    request: async (texts, use, signal) => {
      const [only] = texts;
      if (use === 'query' && only !== undefined) {
        const answer = await model.embedContent(toRequest(only, TaskType.RETRIEVAL_QUERY), { signal });
        return [answer.embedding?.values ?? []];
      }
      const requests = texts.map((text) => toRequest(text, TaskType.RETRIEVAL_DOCUMENT));
      const answer = await model.batchEmbedContents({ requests }, { signal });
      return (answer.embeddings ?? []).map((embedding) => embedding.values);
    },
  });
}
