import { makeBuiltinEmbeddings } from './builtin-embeddings.js';
import type { EmbeddingModel } from './embedding-model.js';
import { type GeminiEmbeddingsOptions, makeGeminiEmbeddings } from './gemini-embeddings.js';
import { makeOpenAiEmbeddings, type OpenAiEmbeddingsOptions } from './openai-embeddings.js';

/** What configuration says (`EMBEDDINGS` and the providers' keys and addresses). */
export interface EmbeddingsOptions {
  provider: 'builtin' | 'gemini' | 'openai';
  /** Threads of the built-in model. */
  threads: number;
  gemini?: Partial<GeminiEmbeddingsOptions>;
  openai?: OpenAiEmbeddingsOptions;
}

/** The configured embedding model. Throws an Error that names the variable to set when the provider lacks its key. */
export function makeEmbeddings(options: EmbeddingsOptions): EmbeddingModel {
  const { provider, threads, gemini, openai } = options;
  if (provider === 'builtin') return makeBuiltinEmbeddings({ threads });
  if (provider === 'gemini') {
    if (!gemini?.apiKey) throw new Error('EMBEDDINGS=gemini needs GOOGLE_API_KEY');
    return makeGeminiEmbeddings({ ...gemini, apiKey: gemini.apiKey });
  }
  if (!openai?.apiKey && !openai?.baseUrl) throw new Error('EMBEDDINGS=openai needs OPENAI_API_KEY or OPENAI_BASE_URL');
  return makeOpenAiEmbeddings(openai);
}
