import type { EmbeddingModel } from '@sidestage/models';
import type { Metrics } from '@sidestage/runtime';
import { withoutFraming } from '../query/framing.js';

/** Questions whose vector is kept: many fans ask the same. */
const kept = 2_000;
/** Longest wait for a vector: words alone answer after it. */
const deadlineMs = 3_000;

/**
 * Vectors of questions, the last ones from memory: the mean of the question as it is put and of what it asks without its framing. A model
 * hears "the one where they talk about" too; the mean finds more than either. Rejects when the model does not answer in time.
 */
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
    const signal = AbortSignal.timeout(deadlineMs);
    const texts = new Set([name, withoutFraming(name)]);
    const vector = meanOf(await Promise.all([...texts].map((text) => model.embedQuery(text, { signal }))));
    known.set(name, vector);
    const oldest = known.keys().next();
    if (known.size > kept && !oldest.done) known.delete(oldest.value);
    return vector;
  };
}

/** Of length 1. */
function meanOf(vectors: readonly Float32Array[]): Float32Array {
  const [first = new Float32Array()] = vectors;
  if (vectors.length < 2) return first;
  const sum = first.map((_, column) => vectors.reduce((all, vector) => all + (vector[column] ?? 0), 0));
  const length = Math.hypot(...sum) || 1;
  return sum.map((value) => value / length);
}
