import { expect, test } from '@jest/globals';
import { playCampaign } from './campaign.js';
import { readOptions } from './options.js';
import { findFaults, quantile, reportFolder, showOutcome, writeReport } from './report.js';

const minutes = 12;

test(
  'a fleet under kills, freezes, wipes and stops: nothing accepted is lost, answered twice, out of order or with a gap',
  async () => {
    const options = readOptions(['--short', '--seed', '20261121']);
    if (typeof options === 'string') throw new Error(options);
    const { outcome, stage, hearings } = await playCampaign(options, () => undefined);
    try {
      console.log(showOutcome(outcome));
      writeReport(reportFolder, { outcome, stage, hearings });
      expect(findFaults(outcome)).toEqual([]);
      const hits = Object.fromEntries(outcome.tallies.map(({ name, hit }) => [name, hit]));
      expect(hits).toMatchObject({
        'gateway-kill': 5,
        'redis-kill': 5,
        'redis-wipe': 1,
        'redis-freeze': 1,
        'postgres-stop': 1,
      });
      expect(hits['postgres-backends']).toBe(20);
      expect(hits['worker-kill']).toBeGreaterThanOrEqual(100);
      expect(outcome.inFlight.mean).toBeGreaterThanOrEqual(100);
      // Every stream that was open when its gateway died was heard again.
      const streams = outcome.tallies.find(({ name }) => name === 'gateway-kill')?.work;
      expect(streams).toBeGreaterThanOrEqual(5 * 450);
      expect(outcome.resumedMs.length).toBeGreaterThanOrEqual(0.99 * (streams ?? 0));
      expect(quantile(outcome.reclaimedMs.calm, 0.5)).not.toBeNull();
    } finally {
      await stage.stop();
    }
  },
  minutes * 60_000,
);
