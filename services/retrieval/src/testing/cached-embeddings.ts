import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { EmbeddingModel } from '@sidestage/models';
import { packVector, unpackVector } from '@sidestage/store';

const hashBytes = 32;

export interface CachedEmbeddings extends EmbeddingModel {
  /** Texts computed, and texts that were known. */
  readonly counts: { computed: number; known: number };
}

/**
 * A model whose vectors of passages are kept in `file` by the hash of their text, so that tests and benches compute them once a machine.
 * The file is records of one length; a record cut short at its end is not read.
 */
export function makeCachedEmbeddings(model: EmbeddingModel, file: string): CachedEmbeddings {
  const known = readRecords(file, model.dimensions);
  const counts = { computed: 0, known: 0 };
  mkdirSync(dirname(file), { recursive: true });
  return {
    name: model.name,
    version: model.version,
    dimensions: model.dimensions,
    counts,
    embedQuery: (text, options) => model.embedQuery(text, options),
    async embedPassages(texts, options) {
      const names = texts.map(hashOf);
      const missing = [...new Set(texts.filter((_, at) => !known.has(names[at] ?? '')))];
      const vectors = await model.embedPassages(missing, options);
      for (const [at, text] of missing.entries()) {
        const vector = vectors[at];
        if (vector) known.set(hashOf(text), vector);
      }
      appendFileSync(file, Buffer.concat(missing.flatMap((text) => record(text, known.get(hashOf(text))))));
      counts.computed += missing.length;
      counts.known += texts.length - missing.length;
      return names.map((name) => known.get(name) ?? new Float32Array(model.dimensions));
    },
    close: () => model.close(),
  };
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function record(text: string, vector: Float32Array | undefined): Buffer[] {
  return vector ? [Buffer.from(hashOf(text), 'hex'), packVector(vector)] : [];
}

function readRecords(file: string, dimensions: number): Map<string, Float32Array> {
  const known = new Map<string, Float32Array>();
  if (!existsSync(file)) return known;
  const bytes = readFileSync(file);
  const length = hashBytes + dimensions * 4;
  for (let at = 0; at + length <= bytes.length; at += length) {
    const name = bytes.toString('hex', at, at + hashBytes);
    known.set(name, unpackVector(bytes.subarray(at + hashBytes, at + length)));
  }
  return known;
}
