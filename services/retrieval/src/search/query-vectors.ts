import type { EmbeddingModel } from '@sidestage/models';
import type { Metrics } from '@sidestage/runtime';

/** Questions whose vector is kept: many fans ask the same. */
const kept = 2_000;
/** Longest wait for a vector: words alone answer after it. */
const deadlineMs = 3_000;

/** Vectors of questions, the last ones from memory. Rejects when the model does not answer in time. */
export function makeQueryVectors(model: EmbeddingModel, metrics: Metrics): (question: string) => Promise<Float32Array> {
  const known = new Map<string, Float32Array>();
  return async (question) => {
    const name = question.trim();
    const found = known.get(name);
    metrics.cacheRequests.inc({ cache: 'query_vector', result: found ? 'hit' : 'miss' });
    if (found) {
      known.delete(name);
      known.set(name, found);
      return found;
    }
    const vector = await model.embedQuery(name, { signal: AbortSignal.timeout(deadlineMs) });
    known.set(name, vector);
    const oldest = known.keys().next();
    if (known.size > kept && !oldest.done) known.delete(oldest.value);
    return vector;
  };
}
