import type { IndexedPassage, IndexedSource } from './passage-index.js';

/** One source in memory: its vectors side by side, and which words stand in which of its passages. */
export interface Shard {
  source_id: string;
  passageIds: string[];
  /** Vectors of the passages, one after the other. */
  whole: Float32Array;
  small: Float32Array;
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
  const dimensions = passages[0]?.whole.length ?? 0;
  const whole = new Float32Array(passages.length * dimensions);
  for (const [at, passage] of passages.entries()) whole.set(passage.whole, at * dimensions);
  const windows = passages.flatMap((passage, owner) =>
    (passage.small.length > 0 ? passage.small : [passage.whole]).map((vector) => ({ vector, owner })),
  );
  const small = new Float32Array(windows.length * dimensions);
  for (const [at, { vector }] of windows.entries()) small.set(vector, at * dimensions);
  const postings = makePostings(passages);
  return {
    source_id: source.source_id,
    passageIds: passages.map(({ id }) => id),
    whole,
    small,
    smallOwner: Uint32Array.from(windows, ({ owner }) => owner),
    postings,
    lengths: Uint32Array.from(passages, ({ lexemes }) => lexemes.reduce((sum, { count }) => sum + count, 0)),
    bytes: 4 * (whole.length + small.length + windows.length + passages.length * 12) + postingBytes(postings),
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

function postingBytes(postings: Map<string, Uint16Array>): number {
  let bytes = 0;
  for (const list of postings.values()) bytes += list.byteLength + 120;
  return bytes;
}

/** Dot products of `vector` with each row of a matrix. */
export function dotRows(matrix: Float32Array, vector: Float32Array): Float32Array {
  const dimensions = vector.length;
  const rows = dimensions === 0 ? 0 : Math.floor(matrix.length / dimensions);
  const products = new Float32Array(rows);
  for (let row = 0, at = 0; row < rows; row++) {
    let first = 0;
    let second = 0;
    for (let column = 0; column + 1 < dimensions; column += 2, at += 2) {
      first += (matrix[at] as number) * (vector[column] as number);
      second += (matrix[at + 1] as number) * (vector[column + 1] as number);
    }
    if (dimensions % 2 === 1) {
      first += (matrix[at] as number) * (vector[dimensions - 1] as number);
      at += 1;
    }
    products[row] = first + second;
  }
  return products;
}
