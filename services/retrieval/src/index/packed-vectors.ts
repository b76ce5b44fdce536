import { readFileSync } from 'node:fs';

/** Vectors side by side, each as int8 with its own scale: a quarter of the memory, and cosines right to about a thousandth. */
export interface PackedVectors {
  /** Numbers of a vector as it was given. */
  dimensions: number;
  count: number;
  /** `count` rows of `dimensions` rounded up to `step`. */
  rows: Int8Array;
  /** What a row is multiplied by to be the vector. */
  scales: Float32Array;
}

/** Numbers the kernel takes at a time. */
const step = 32;
/** int8 and, small enough that 3,072 products sum up within int32, the query. */
const most = { row: 127, query: 2_047 } as const;

/** What wasm/dots.wat exports. */
interface Kernel {
  memory: { buffer: ArrayBuffer };
  dots(rows: number, count: number, columns: number, query: number, out: number): void;
}
/** The part of the language's own WebAssembly that is used; its types come with those of browsers only. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object) => { exports: Kernel };
};

const file = new URL('../../wasm/dots.wasm', import.meta.url);
const kernel = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(file))).exports;
const memory = new Uint8Array(kernel.memory.buffer);
/** The query, the sums and the rows under way, in the kernel's memory. Rows are copied in some that fit the processor's cache. */
const at = { query: 0, out: 64 * 1024, rows: 256 * 1024 } as const;
const rowBytes = 1024 * 1024;
const mostSums = (at.rows - at.out) / 4;

/** All of one length. */
export function packVectors(vectors: readonly Float32Array[]): PackedVectors {
  const dimensions = vectors[0]?.length ?? 0;
  const columns = columnsOf(dimensions);
  const rows = new Int8Array(vectors.length * columns);
  const scales = new Float32Array(vectors.length);
  for (const [row, vector] of vectors.entries()) {
    const scale = largest(vector) / most.row;
    scales[row] = scale;
    for (let column = 0; column < dimensions; column++)
      rows[row * columns + column] = Math.round((vector[column] ?? 0) / (scale || 1));
  }
  return { dimensions, count: vectors.length, rows, scales };
}

/** A vector as the kernel wants it. */
export interface PackedQuery {
  dimensions: number;
  values: Int16Array;
  scale: number;
}

export function packQuery(vector: Float32Array): PackedQuery {
  const scale = largest(vector) / most.query || 1;
  const values = new Int16Array(columnsOf(vector.length));
  for (let column = 0; column < vector.length; column++) values[column] = Math.round((vector[column] ?? 0) / scale);
  return { dimensions: vector.length, values, scale };
}

/** Dot products of the query with each vector, which has as many dimensions. Exact but for the rounding of both. */
export function dotRows(packed: PackedVectors, query: PackedQuery): Float32Array {
  const { count, rows, scales } = packed;
  const products = new Float32Array(count);
  const columns = query.values.length;
  if (count === 0 || columns === 0) return products;
  // The memory is everybody's: another search may have been here since.
  new Int16Array(kernel.memory.buffer, at.query, columns).set(query.values);
  const some = Math.min(mostSums, Math.floor(rowBytes / columns));
  for (let from = 0; from < count; from += some) {
    const now = Math.min(some, count - from);
    memory.set(new Uint8Array(rows.buffer, rows.byteOffset + from * columns, now * columns), at.rows);
    kernel.dots(at.rows, now, columns, at.query, at.out);
    const sums = new Int32Array(kernel.memory.buffer, at.out, now);
    for (let row = 0; row < now; row++)
      products[from + row] = (sums[row] ?? 0) * (scales[from + row] ?? 0) * query.scale;
  }
  return products;
}

/** Numbers of a row: as many as dimensions, rounded up to what the kernel takes at a time. */
export function columnsOf(dimensions: number): number {
  return Math.ceil(dimensions / step) * step;
}

function largest(vector: Float32Array): number {
  let found = 0;
  for (const value of vector) found = Math.max(found, Math.abs(value));
  return found;
}
