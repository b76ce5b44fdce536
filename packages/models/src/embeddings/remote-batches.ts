import type { ModelProvider } from '../chat-model.js';
import { ModelError } from '../model-error.js';
import type { EmbeddingModel, EmbedOptions, EmbedPassagesOptions } from './embedding-model.js';

/** What differs between providers of embeddings over HTTP. */
export interface RemoteEmbeddings {
  provider: ModelProvider;
  name: string;
  dimensions: number;
  /** Most texts in one request. */
  batchSize: number;
  /** Milliseconds for one request. */
  timeoutMs: number;
  /** One list of numbers a text, in order. */
  request: (
    texts: readonly string[],
    use: 'query' | 'passage',
    signal: AbortSignal,
  ) => Promise<readonly (readonly number[])[]>;
  toModelError: (error: unknown) => ModelError;
}

/** One request at a time a call; vectors are checked and brought to length 1. Retrying is the caller's. */
export function makeRemoteEmbeddings(remote: RemoteEmbeddings): EmbeddingModel {
  const closing = new AbortController();

  async function batch(
    texts: readonly string[],
    use: 'query' | 'passage',
    signal?: AbortSignal,
  ): Promise<Float32Array[]> {
    const ended = AbortSignal.any(signal ? [signal, closing.signal] : [closing.signal]);
    const late = AbortSignal.timeout(remote.timeoutMs);
    if (ended.aborted) throw new ModelError('aborted', remote.provider, 'the embedding was cancelled');
    try {
      const vectors = await remote.request(texts, use, AbortSignal.any([ended, late]));
      return checked(remote, vectors, texts.length);
    } catch (error) {
      if (ended.aborted)
        throw new ModelError('aborted', remote.provider, 'the embedding was cancelled', { cause: error });
      if (late.aborted)
        throw new ModelError('timeout', remote.provider, `no vectors in ${remote.timeoutMs} ms`, { cause: error });
      throw remote.toModelError(error);
    }
  }

  return {
    name: remote.name,
    version: '1',
    dimensions: remote.dimensions,
    embedQuery: async (text: string, { signal }: EmbedOptions = {}) => {
      const [vector] = await batch([text], 'query', signal);
      if (!vector) throw new ModelError('malformed', remote.provider, 'no vector came');
      return vector;
    },
    embedPassages: async (texts: readonly string[], { signal, onProgress }: EmbedPassagesOptions = {}) => {
      const vectors: Float32Array[] = [];
      for (let at = 0; at < texts.length; at += remote.batchSize) {
        vectors.push(...(await batch(texts.slice(at, at + remote.batchSize), 'passage', signal)));
        onProgress?.(vectors.length, texts.length);
      }
      return vectors;
    },
    close: async () => closing.abort(),
  };
}

function checked(remote: RemoteEmbeddings, vectors: readonly (readonly number[])[], count: number): Float32Array[] {
  const odd = vectors.find((vector) => vector.length !== remote.dimensions || !vector.every(Number.isFinite));
  if (vectors.length !== count || odd) {
    const got = odd
      ? `${odd.length} numbers where ${remote.dimensions} belong`
      : `${vectors.length} vectors for ${count} texts`;
    throw new ModelError('malformed', remote.provider, `embeddings: ${got}`);
  }
  return vectors.map(normalised);
}

function normalised(vector: readonly number[]): Float32Array {
  const length = Math.hypot(...vector) || 1;
  return Float32Array.from(vector, (value) => value / length);
}
