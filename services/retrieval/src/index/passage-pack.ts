import { columnsOf, dotRows, type PackedQuery, type PackedVectors, packVectors } from './packed-vectors.js';

/** The vectors of a passage as an index elsewhere carries them: what the same ranking needs there. */
export interface PassageVectors {
  whole: Float32Array;
  /** With its surroundings: see contextVectors. */
  context: Float32Array;
  small: readonly Float32Array[];
}

/** Cosines of a question with them. */
export interface PassageCosines {
  whole: number;
  context: number;
  /** Of the best small window. */
  small: number;
}

const scaleBytes = 4;

/** base64 of the rows' scales (float32, little endian), then their int8 rows: whole, context, small windows. */
export function packPassage({ whole, context, small }: PassageVectors): string {
  const { scales, rows } = packVectors([whole, context, ...small]);
  const bytes = Buffer.alloc(scales.length * scaleBytes + rows.length);
  for (const [at, scale] of scales.entries()) bytes.writeFloatLE(scale, at * scaleBytes);
  bytes.set(new Uint8Array(rows.buffer, rows.byteOffset, rows.length), scales.length * scaleBytes);
  return bytes.toString('base64');
}

/** The cosines of many packed passages; null for one that is not of the query's dimensions. */
export function packedCosines(packs: readonly string[], query: PackedQuery): (PassageCosines | null)[] {
  const columns = columnsOf(query.dimensions);
  const rowBytes = scaleBytes + columns;
  const all = packs.map((pack) => Buffer.from(pack, 'base64'));
  const counts = all.map(({ length }) => (length % rowBytes === 0 && length >= 2 * rowBytes ? length / rowBytes : 0));
  const count = counts.reduce((sum, each) => sum + each, 0);
  const packed: PackedVectors = {
    dimensions: query.dimensions,
    count,
    rows: new Int8Array(count * columns),
    scales: new Float32Array(count),
  };
  let row = 0;
  for (const [at, bytes] of all.entries()) {
    const own = counts[at] ?? 0;
    for (let each = 0; each < own; each++) packed.scales[row + each] = bytes.readFloatLE(each * scaleBytes);
    if (own > 0) packed.rows.set(new Int8Array(bytes.subarray(own * scaleBytes)), row * columns);
    row += own;
  }
  const products = dotRows(packed, query);
  let from = 0;
  return counts.map((own) => {
    const [whole, context, ...small] = products.subarray(from, from + own);
    from += own;
    if (whole === undefined || context === undefined) return null;
    // A passage that is one small window has no other.
    return { whole, context, small: small.length > 0 ? Math.max(...small) : whole };
  });
}
