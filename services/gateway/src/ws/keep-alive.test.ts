import { describe, expect, test } from '@jest/globals';
import { Budget } from './budget.js';
import { keepAlive } from './keep-alive.js';

describe('a quiet connection', () => {
  test('is pinged 30 s after its last sign of life, and let go 10 s after a ping without an answer', () => {
    expect(keepAlive({ heardAt: 0, pingedAt: null }, 29_999)).toBe('nothing');
    expect(keepAlive({ heardAt: 0, pingedAt: null }, 30_000)).toBe('ping');
    expect(keepAlive({ heardAt: 0, pingedAt: 30_000 }, 40_000)).toBe('nothing');
    expect(keepAlive({ heardAt: 0, pingedAt: 30_000 }, 40_001)).toBe('terminate');
    expect(keepAlive({ heardAt: 31_000, pingedAt: null }, 45_000)).toBe('nothing');
  });
});

describe('a budget', () => {
  test('allows the burst, then what time has brought, and a refusal takes nothing', () => {
    let now = 0;
    const budget = new Budget(10, 20, () => now);
    expect(budget.take(20)).toBe(true);
    expect(budget.take(1)).toBe(false);
    now = 500;
    expect(budget.take(6)).toBe(false);
    expect(budget.take(5)).toBe(true);
    now = 60_000;
    expect(budget.take(21)).toBe(false);
    expect(budget.take(20)).toBe(true);
  });
});
