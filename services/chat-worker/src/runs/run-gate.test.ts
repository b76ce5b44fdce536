import { describe, expect, test } from '@jest/globals';
import { RunGate } from './run-gate.js';

describe('the gate of runs', () => {
  test('lets runs in together, and one alone only when the others have left', async () => {
    const gate = new RunGate();
    const order: string[] = [];
    const leave = [await gate.enter(false), await gate.enter(false)];
    const alone = gate.enter(true).then((release) => {
      order.push('alone');
      return release;
    });
    const later = gate.enter(false).then((release) => {
      order.push('later');
      return release;
    });
    leave[0]?.();
    await Promise.resolve();
    expect(order).toEqual([]);
    leave[1]?.();
    const release = await alone;
    await new Promise((resolve) => setImmediate(resolve));
    expect(order).toEqual(['alone']);
    release();
    release();
    (await later)();
    expect(order).toEqual(['alone', 'later']);
    (await gate.enter(true))();
  });
});
