import { afterEach, describe, expect, test } from '@jest/globals';
import { makeLogger, makeMetrics } from '@sidestage/runtime';
import type { ClaimedTurn } from '@sidestage/store';
import { waitFor } from '@sidestage/testkit';
import { makeRunningJobs, RunAborted, type RunningJobs } from './running-jobs.js';

const logger = makeLogger({ service: 'test', level: 'CRITICAL' });
let running: RunningJobs;
afterEach(() => running.close());

/** Signs of life are good for the turns in `ours`. */
function watch(lockMs: number, ours: Set<string> | Error = new Set()): RunningJobs {
  running = makeRunningJobs({
    repository: {
      heartbeat: async () => {
        if (ours instanceof Error) throw ours;
        return ours;
      },
    },
    logger,
    metrics: makeMetrics('test', { turns: true }),
    lockMs,
    heartbeatMs: 20,
  });
  return running;
}

const turn = (id: string) => ({ id, tenant_id: 'tenant', epoch: 1 }) as ClaimedTurn;
const reasonOf = (signal: AbortSignal) => signal.reason instanceof RunAborted && signal.reason.reason;

describe('the lock watchdog', () => {
  test('stops a run before its lock can be another’s when no renewal is heard of, and no other run', async () => {
    const jobs = watch(1_500);
    const silent = jobs.begin('silent');
    const renewed = jobs.begin('renewed');
    const renewing = setInterval(() => jobs.renewed(['renewed']), 50);
    const begunAt = performance.now();
    await waitFor(() => silent.signal.aborted, { timeoutMs: 5_000, what: 'the silent run to be stopped' });
    clearInterval(renewing);
    expect(performance.now() - begunAt).toBeGreaterThan(900);
    expect(reasonOf(silent.signal)).toBe('lock_lost');
    expect(renewed.signal.aborted).toBe(false);
  });

  test('stops the runs whose locks BullMQ calls lost', () => {
    const jobs = watch(60_000);
    const [lost, kept] = [jobs.begin('lost'), jobs.begin('kept')];
    jobs.lost(['lost', 'of another time']);
    expect([reasonOf(lost.signal), kept.signal.aborted]).toEqual(['lock_lost', false]);
  });
});

describe('signs of life', () => {
  test('stop a run whose turn is another’s, and only that', async () => {
    const jobs = watch(60_000, new Set(['ours']));
    const [ours, theirs, unclaimed] = [jobs.begin('a'), jobs.begin('b'), jobs.begin('c')];
    ours.turn = turn('ours');
    theirs.turn = turn('theirs');
    await waitFor(() => theirs.signal.aborted);
    expect(reasonOf(theirs.signal)).toBe('lost');
    expect([ours.signal.aborted, unclaimed.signal.aborted]).toEqual([false, false]);
  });

  test('that Postgres cannot take stop nothing', async () => {
    const jobs = watch(60_000, new Error('away'));
    const run = jobs.begin('a');
    run.turn = turn('a');
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(run.signal.aborted).toBe(false);
  });
});
