import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import wabt from 'wabt';
import { dotRows, packQuery, packVectors } from './packed-vectors.js';

/** Numbers that are the same each time (a linear congruential generator). */
function makeVectors(count: number, dimensions: number): Float32Array[] {
  let state = 7;
  const next = () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 1_073_741_824 - 1;
  };
  return Array.from({ length: count }, () => {
    const vector = Float32Array.from({ length: dimensions }, next);
    const length = Math.hypot(...vector);
    return vector.map((value) => value / length);
  });
}
const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, at) => sum + value * (b[at] ?? 0), 0);

describe('packed vectors', () => {
  test.each([384, 768, 3_072, 64, 50, 1])('of %d dimensions give their cosines to a few thousandths', (dimensions) => {
    const [query = new Float32Array(), ...vectors] = makeVectors(40, dimensions);
    const products = dotRows(packVectors([...vectors, query]), packQuery(query));
    for (const [at, vector] of vectors.entries())
      expect(Math.abs((products[at] ?? 9) - dot(vector, query))).toBeLessThan(0.004);
    expect(products.at(-1)).toBeCloseTo(1, 2);
  });

  test('are all multiplied, also where they do not fit the kernel’s memory at once', () => {
    const [query = new Float32Array(), ...some] = makeVectors(30, 384);
    const many = Array.from({ length: 3_000 }, (_, at) => some[at % some.length] ?? query);
    const products = dotRows(packVectors(many), packQuery(query));
    expect([...products.slice(-29)]).toEqual([...dotRows(packVectors(many.slice(-29)), packQuery(query))]);
    expect(products.every((value) => value !== 0)).toBe(true);
  });

  test('of length 0, and none at all, are no trouble', () => {
    expect([
      ...dotRows(packVectors([new Float32Array(64), new Float32Array(64)]), packQuery(new Float32Array(64))),
    ]).toEqual([0, 0]);
    expect(dotRows(packVectors([]), packQuery(new Float32Array(64)))).toHaveLength(0);
  });
});

test('the kernel is what its source says', async () => {
  const folder = new URL('../../wasm/', import.meta.url);
  const { parseWat } = await wabt();
  const made = parseWat('dots.wat', readFileSync(new URL('dots.wat', folder), 'utf8'), { simd: true }).toBinary({});
  expect(Buffer.from(made.buffer).equals(readFileSync(new URL('dots.wasm', folder)))).toBe(true);
});
