import { expect, test } from '@jest/globals';
import { packQuery } from './packed-vectors.js';
import { packedCosines, packPassage } from './passage-pack.js';

const unit = (...values: number[]) => {
  const length = Math.hypot(...values);
  return Float32Array.from(values, (value) => value / length);
};
const query = packQuery(unit(1, 0, 0));

test('a packed passage gives the cosines of its vectors, the best of its small windows', () => {
  const several = packPassage({ whole: unit(1, 1, 0), context: unit(0, 1, 0), small: [unit(0, 0, 1), unit(2, 1, 0)] });
  const single = packPassage({ whole: unit(3, 4, 0), context: Float32Array.of(0.5, 0.25, 0), small: [] });
  const [first, second] = packedCosines([several, single], query);
  expect(first?.whole).toBeCloseTo(Math.SQRT1_2, 2);
  expect(first?.context).toBeCloseTo(0, 2);
  expect(first?.small).toBeCloseTo(2 / Math.sqrt(5), 2);
  expect(second?.whole).toBeCloseTo(0.6, 2);
  expect(second?.context).toBeCloseTo(0.5, 2);
  expect(second?.small).toBe(second?.whole);
});

test('one of other dimensions, or cut short, has none, and the others keep theirs', () => {
  const good = packPassage({ whole: unit(1, 0, 0), context: unit(1, 0, 0), small: [] });
  const wide = packPassage({ whole: unit(...Array(64).fill(1)), context: unit(...Array(64).fill(1)), small: [] });
  expect(packedCosines([wide.slice(0, -4), good, ''], query).map((each) => each && Math.round(each.whole))).toEqual([
    null,
    1,
    null,
  ]);
});
