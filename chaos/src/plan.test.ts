import { describe, expect, test } from '@jest/globals';
import { faults } from './faults/index.js';
import { readOptions, UsageError } from './options.js';
import { makePlan } from './plan.js';

function firstOf(seed: number, count: number): string[] {
  const names: string[] = [];
  for (const { fault, seed: own } of makePlan(faults, seed).others) {
    names.push(`${fault.name} ${own}`);
    if (names.length === count) break;
  }
  return names;
}

describe('the plan of a campaign', () => {
  test('is the same for the same seed, and another for another', () => {
    expect(firstOf(7, 200)).toEqual(firstOf(7, 200));
    expect(firstOf(7, 200)).not.toEqual(firstOf(8, 200));
  });

  test('a deck has every fault as often as its share says', () => {
    const others = faults.filter(({ name }) => name !== 'worker-kill');
    const deck = others.reduce((sum, { share }) => sum + share, 0);
    const dealt = firstOf(1, deck).map((one) => one.split(' ')[0]);
    for (const { name, share } of others) expect(dealt.filter((one) => one === name)).toHaveLength(share);
  });
});

describe('the command line', () => {
  test('chooses faults by name and by the beginning of names', () => {
    const options = readOptions(['--faults', 'redis-,worker-kill', '--seed', '5', '--minutes', '2']);
    if (typeof options === 'string') throw new Error(options);
    expect(options).toMatchObject({ seed: 5, minutes: 2 });
    expect(options.faults.map(({ name }) => name)).toEqual([
      'worker-kill',
      'redis-kill',
      'redis-freeze',
      'redis-wipe',
      'redis-clients',
      'redis-aof',
    ]);
  });

  test.each([
    [['--minutes', '0'], '--minutes must be at least 1'],
    [['--seed', 'x'], '--seed must be a number'],
    [['--faults', 'nothing'], 'there is no fault nothing. There are: worker-kill'],
    [['--speed', '1'], "Unknown option '--speed'"],
  ])('%j is refused by name', (args, words) => {
    expect(() => readOptions(args)).toThrow(UsageError);
    expect(() => readOptions(args)).toThrow(words);
  });
});
