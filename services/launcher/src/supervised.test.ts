import { afterEach, describe, expect, test } from '@jest/globals';
import { type OwnedProcess, startOwnedProcess } from '@sidestage/embedded';
import { waitFor } from '@sidestage/testkit';
import { makeSupervised, type Supervised, type SuperviseOptions } from './supervised.js';

let supervised: Supervised | undefined;
afterEach(() => supervised?.stop());

const sleeper = () => startOwnedProcess({ command: process.execPath, args: ['-e', 'setInterval(() => {}, 1000)'] });

function watch(overrides: Partial<SuperviseOptions> = {}) {
  const started: OwnedProcess[] = [];
  const told: string[] = [];
  supervised = makeSupervised({
    start: sleeper,
    stop: (child) => child.stop(1_000),
    onStarted: (child) => started.push(child),
    onCrash: (exit, delayMs) => told.push(`crash ${exit.signal ?? exit.code} ${delayMs}`),
    onRecovered: () => told.push('back'),
    onFailed: (error, delayMs) => told.push(`failed ${String(error)} ${delayMs}`),
    firstDelayMs: 10,
    maxDelayMs: 40,
    ...overrides,
  });
  return { supervised, started, told };
}

describe('a supervised child', () => {
  test('is started again when it ends by itself, and that is said', async () => {
    const { supervised, started, told } = watch();
    await supervised.start();
    started[0]?.signal('SIGKILL');
    await waitFor(() => told.includes('back'), { what: 'the restart' });
    expect(told).toEqual(['crash SIGKILL 10', 'back']);
    expect(started).toHaveLength(2);
    expect(started[1]?.alive()).toBe(true);
  });

  test('is tried ever later while its restarts fail, up to a bound', async () => {
    let starts = 0;
    const { supervised, started, told } = watch({
      start: async () => {
        starts += 1;
        if (starts > 1 && starts < 5) throw new Error('no');
        return sleeper();
      },
    });
    await supervised.start();
    started[0]?.signal('SIGKILL');
    await waitFor(() => told.includes('back'), { what: 'the restart' });
    const failures = [20, 40, 40].map((delay) => `failed Error: no ${delay}`);
    expect(told).toEqual(['crash SIGKILL 10', ...failures, 'back']);
  });

  test('stays stopped', async () => {
    const { supervised, started, told } = watch();
    await supervised.start();
    await supervised.stop();
    expect(started[0]?.alive()).toBe(false);
    expect(told).toEqual([]);
  });

  test('that is stopped while it starts leaves nothing behind', async () => {
    const { supervised, started } = watch({
      start: async () => {
        await new Promise((resolve) => setTimeout(resolve, 50));
        return sleeper();
      },
    });
    const starting = supervised.start();
    await supervised.stop();
    await starting;
    expect(started.map((child) => child.alive())).toEqual([false]);
  });
});
