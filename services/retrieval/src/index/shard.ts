import { type PackedVectors, packVectors } from './packed-vectors.js';
import type { IndexedPassage, IndexedSource } from './passage-index.js';

/** One source in memory: its vectors side by side, and which words stand in which of its passages. */
export interface Shard {
  source_id: string;
  passageIds: string[];
  /** Vectors of the passages; none where one of them has no vector of the model. */
  whole: PackedVectors;
  small: PackedVectors;
  /** Passage of each small window. */
  smallOwner: Uint32Array;
  /** Passage and count in turns, by lexeme. */
  postings: Map<string, Uint16Array>;
  /** Lexemes of each passage, repeats counted. */
  lengths: Uint32Array;
  /** About what it holds in memory. */
  bytes: number;
}

export function makeShard(source: Pick<IndexedSource, 'source_id' | 'passages'>): Shard {
  const { passages } = source;
  const isEmbedded = passages.every(({ whole }) => whole.length > 0);
  const whole = packVectors(isEmbedded ? passages.map((passage) => passage.whole) : []);
  const windows = passages.flatMap((passage, owner) =>
    (passage.small.length > 0 ? passage.small : [passage.whole]).map((vector) => ({ vector, owner })),
  );
  const small = packVectors(isEmbedded ? windows.map(({ vector }) => vector) : []);
  const postings = makePostings(passages);
  return {
    source_id: source.source_id,
    passageIds: passages.map(({ id }) => id),
    whole,
    small,
    smallOwner: Uint32Array.from(windows, ({ owner }) => owner),
    postings,
    lengths: Uint32Array.from(passages, ({ lexemes }) => lexemes.reduce((sum, { count }) => sum + count, 0)),
    bytes: bytesOf(whole) + bytesOf(small) + 4 * (windows.length + passages.length * 12) + postingBytes(postings),
  };
}

/** Passages are counted in 16 bits: a source of 10 MiB has some 15,000. */
function makePostings(passages: readonly IndexedPassage[]): Map<string, Uint16Array> {
  const lists = new Map<string, number[]>();
  for (const [at, { lexemes }] of passages.entries()) {
    for (const { lexeme, count } of lexemes) {
      const list = lists.get(lexeme);
      if (list) list.push(at, count);
      else lists.set(lexeme, [at, count]);
    }
  }
  return new Map([...lists].map(([lexeme, list]) => [lexeme, Uint16Array.from(list)]));
}

function bytesOf({ rows, scales }: PackedVectors): number {
  return rows.byteLength + scales.byteLength;
}

function postingBytes(postings: Map<string, Uint16Array>): number {
  let bytes = 0;
  for (const list of postings.values()) bytes += list.byteLength + 120;
  return bytes;
}
