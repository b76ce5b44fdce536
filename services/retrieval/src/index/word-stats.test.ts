import { expect, test } from '@jest/globals';
import type { WordStats } from '@sidestage/store';
import { makeWordStats } from './word-stats.js';

const creator = { tenant_id: 't', creator_id: 'c' };
const statsOf = (passages: number): WordStats => ({ passages, words: passages, holders: new Map() });

test('counts are read once a state of knowledge, and the old ones serve while the new are read', async () => {
  let passages = 1;
  let release = () => {};
  let held = Promise.resolve();
  let reads = 0;
  const ask = makeWordStats(async () => {
    reads += 1;
    const found = statsOf(passages);
    await held;
    return found;
  });
  expect(await Promise.all([ask(creator, 1), ask(creator, 1)])).toEqual([statsOf(1), statsOf(1)]);
  expect(reads).toBe(1);
  passages = 2;
  held = new Promise((resolve) => {
    release = resolve;
  });
  expect(await ask(creator, 2)).toEqual(statsOf(1));
  release();
  await held;
  await new Promise((resolve) => setImmediate(resolve));
  expect(await ask(creator, 2)).toEqual(statsOf(2));
  expect(reads).toBe(2);
});

test('counts that cannot be had in time, or at all, are done without, and asked for again', async () => {
  const slow = makeWordStats(() => new Promise(() => undefined));
  expect(await slow(creator, 1)).toBeNull();
  let fails = true;
  const failing = makeWordStats(async () => {
    if (fails) throw new Error('postgres is away');
    return statsOf(3);
  });
  expect(await failing(creator, 1)).toBeNull();
  fails = false;
  expect(await failing(creator, 1)).toEqual(statsOf(3));
});
