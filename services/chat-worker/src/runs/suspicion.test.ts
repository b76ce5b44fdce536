import { describe, expect, test } from '@jest/globals';
import { playFleet } from '../test-support/played-fleet.js';
import { type Evidence, judge, type Verdict } from './suspicion.js';

/** What looks at nothing but the turn's own deaths. */
const judgeAlone = ({ crashes }: Evidence): Verdict => (crashes >= 5 ? 'dead' : crashes >= 2 ? 'alone' : 'together');
const seeds = [1, 2, 3];

describe('a turn whose workers died', () => {
  test('is in a calm fleet tried twice beside others, then alone, and set aside after three deaths alone', () => {
    const verdicts = [0, 1, 2, 3, 4, 5].map((crashes) => judge({ crashes, beside: 0 }));
    expect(verdicts).toEqual(['together', 'together', 'alone', 'alone', 'alone', 'dead']);
  });

  test('is excused one death for each of a worker that died without it', () => {
    expect(judge({ crashes: 5, beside: 1 })).toBe('alone');
    expect(judge({ crashes: 6, beside: 1 })).toBe('dead');
    expect(judge({ crashes: 5, beside: 6 })).toBe('together');
  });
});

describe('a played fleet of three workers', () => {
  test.each([
    [1, 5],
    [2, 14],
  ])('with %i messages that kill whoever answers them sets exactly those aside', (poisons, mostDeaths) => {
    for (const seed of seeds) {
      const played = playFleet({
        judge,
        seed,
        turnsPerSecond: 10,
        runMs: 2_000,
        killEveryMs: null,
        poisons,
        seconds: 150,
      });
      expect(played).toMatchObject({ deadPoisons: poisons, deadInnocents: 0, expired: 0 });
      expect(played.deaths).toBeLessThanOrEqual(mostDeaths);
    }
  });

  test.each([
    ['every 1.8 s, replies of 2 s', { turnsPerSecond: 20, runMs: 2_000, killEveryMs: 1_800 }],
    ['every 5 s, replies of 5 s', { turnsPerSecond: 15, runMs: 5_000, killEveryMs: 5_000 }],
    ['every 10 s, replies of 5 s', { turnsPerSecond: 15, runMs: 5_000, killEveryMs: 10_000 }],
  ])('of which one is killed %s sets nobody aside and keeps up', (_, storm) => {
    for (const seed of seeds) {
      for (const evenly of [true, false]) {
        const played = playFleet({ judge, seed, ...storm, evenly, seconds: 180 });
        expect(played).toMatchObject({ deadInnocents: 0, expired: 0 });
        expect(played.answered / played.accepted).toBeGreaterThan(0.9);
      }
    }
  });

  test('stops under the same kills where a turn’s own deaths are all that is looked at', () => {
    const storm = { turnsPerSecond: 20, runMs: 2_000, killEveryMs: 1_800, seconds: 180 };
    const played = playFleet({ judge: judgeAlone, seed: 1, ...storm });
    expect(played.answered / played.accepted).toBeLessThan(0.6);
  });
});
