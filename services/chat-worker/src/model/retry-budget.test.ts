import { expect, test } from '@jest/globals';
import { RetryBudget } from './retry-budget.js';

test('over many calls at most one in ten is a retry', () => {
  const budget = new RetryBudget();
  let retries = 0;
  for (let call = 0; call < 1_000; call++) {
    budget.called();
    if (budget.spend()) retries += 1;
  }
  expect(retries).toBeGreaterThanOrEqual(95);
  expect(retries).toBeLessThanOrEqual(105);
});
