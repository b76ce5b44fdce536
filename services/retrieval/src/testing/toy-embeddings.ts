import { createHash } from 'node:crypto';
import { setImmediate as nextTick } from 'node:timers/promises';
import { type EmbeddingModel, ModelError } from '@sidestage/models';

export interface ToyEmbeddings extends EmbeddingModel {
  /** From now on every call fails as an unreachable provider does. */
  fail(): void;
  recover(): void;
  /** From now on passages wait until `release`. */
  hold(): void;
  release(): void;
  /** Calls of embedPassages that began. */
  readonly begun: number;
  /** Passages that were embedded, in order. */
  readonly texts: readonly string[];
}

/** Vectors from the words of a text (each word a direction): quick, the same everywhere, near where words are shared. */
export function makeToyEmbeddings(name = 'toy'): ToyEmbeddings {
  let failing = false;
  let begun = 0;
  const embedded: string[] = [];
  let held: Promise<void> = Promise.resolve();
  let release = () => {};
  const check = (signal: AbortSignal | undefined) => {
    if (failing) throw new ModelError('server', 'openai', 'cannot be reached');
    if (signal?.aborted) throw new ModelError('aborted', 'openai', 'was cancelled');
  };
  return {
    name,
    version: '1',
    dimensions: 64,
    get begun() {
      return begun;
    },
    get texts() {
      return [...embedded];
    },
    async embedQuery(text, options) {
      check(options?.signal);
      return vectorOf(text, 64);
    },
    async embedPassages(texts, options) {
      begun += 1;
      check(options?.signal);
      await held;
      // As a model in threads does: others get their turn.
      await nextTick();
      check(options?.signal);
      options?.onProgress?.(texts.length, texts.length);
      embedded.push(...texts);
      return texts.map((text) => vectorOf(text, 64));
    },
    close: async () => release(),
    fail: () => {
      failing = true;
    },
    recover: () => {
      failing = false;
    },
    hold: () => {
      held = new Promise((resolve) => {
        release = resolve;
      });
    },
    release: () => release(),
  };
}

function vectorOf(text: string, dimensions: number): Float32Array {
  const vector = new Float32Array(dimensions);
  for (const word of text.toLowerCase().match(/\p{L}{4,}/gu) ?? ['']) {
    const hash = createHash('sha256').update(word.slice(0, 5)).digest();
    for (let at = 0; at < 4; at++) {
      const place = (hash[at] ?? 0) % dimensions;
      vector[place] = (vector[place] ?? 0) + ((hash[at + 4] ?? 0) % 2 === 0 ? 1 : -1);
    }
  }
  const length = Math.hypot(...vector) || 1;
  return vector.map((value) => value / length);
}
