import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { type Beginning, SlowStart } from './slow-start.js';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

function ask(slowStart: SlowStart, turns: number): Beginning[] {
  const begun: Beginning[] = [];
  for (let turn = 0; turn < turns; turn++) void slowStart.begin().then((beginning) => begun.push(beginning));
  return begun;
}
const settle = () => jest.advanceTimersByTimeAsync(0);

describe('a worker that has just started', () => {
  it('begins few turns, and two more for each that gets to its first words', async () => {
    const begun = ask(new SlowStart(), 100);
    await settle();
    expect(begun).toHaveLength(8);
    for (const turn of begun.slice()) turn.spoke();
    await settle();
    expect(begun).toHaveLength(8 + 16);
    for (const turn of begun.slice()) turn.spoke();
    await settle();
    expect(begun).toHaveLength(8 + 16 + 32);
  });

  it('begins one more for one that ends without a word, also when it had spoken before', async () => {
    const begun = ask(new SlowStart(), 100);
    await settle();
    begun[0]?.ended();
    begun[0]?.spoke();
    await settle();
    expect(begun).toHaveLength(9);
    begun[1]?.spoke();
    begun[1]?.ended();
    await settle();
    expect(begun).toHaveLength(11);
  });

  it('lets turns begin though the model says nothing to the first ones', async () => {
    const begun = ask(new SlowStart(), 100);
    await jest.advanceTimersByTimeAsync(2_050);
    expect(begun).toHaveLength(8 + 20);
  });

  it('has no room for more than it may begin, and in time for one more though the model says nothing', async () => {
    const slowStart = new SlowStart();
    expect(slowStart.hasRoom(7)).toBe(true);
    expect(slowStart.hasRoom(8)).toBe(false);
    await jest.advanceTimersByTimeAsync(100);
    expect(slowStart.hasRoom(8)).toBe(true);
    const begun = ask(slowStart, 9);
    await settle();
    expect(begun).toHaveLength(9);
    expect(slowStart.hasRoom(0)).toBe(false);
    begun[0]?.spoke();
    expect(slowStart.hasRoom(0)).toBe(true);
  });
});
