import { describe, expect, test } from '@jest/globals';
import { progressProblem } from './health.js';

describe('a worker is stuck', () => {
  test.each([
    ['nothing waits', { waitingForMs: null, idleMs: 900_000, full: false }, true],
    ['jobs wait but every slot is taken', { waitingForMs: 90_000, idleMs: 90_000, full: true }, true],
    ['jobs have waited for a moment only', { waitingForMs: 5_000, idleMs: 900_000, full: false }, true],
    ['jobs wait and were fetched just now', { waitingForMs: 90_000, idleMs: 1_000, full: false }, true],
    ['jobs wait and none was fetched for 30 s', { waitingForMs: 31_000, idleMs: 40_000, full: false }, false],
  ])('only when it makes no progress: %s', (_, progress, fine) => {
    expect(progressProblem(progress) === true).toBe(fine);
  });
});
