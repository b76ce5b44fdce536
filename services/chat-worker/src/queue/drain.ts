import { type Logger, sleep } from '@sidestage/runtime';
import type { RunningJobs } from '../runs/running-jobs.js';
import type { ChatConsumer } from './chat-consumer.js';

/** Time for stopped runs to be parked and handed back. Milliseconds. */
const handBackMs = 3_000;

/** Ends work: no new jobs, `drainMs` for the runs under way to finish, then they are stopped and handed to other workers. */
export async function drain(options: {
  consumer: ChatConsumer;
  running: RunningJobs;
  drainMs: number;
  logger: Logger;
}): Promise<void> {
  const { consumer, running, drainMs, logger } = options;
  await consumer.stopFetching();
  await emptyWithin(running, drainMs);
  if (running.size === 0) return;
  logger.info({ runs: running.size }, 'handing unfinished turns to other workers');
  running.abortAll('draining');
  await emptyWithin(running, handBackMs);
}

async function emptyWithin(running: RunningJobs, limitMs: number): Promise<void> {
  const until = performance.now() + limitMs;
  while (running.size > 0 && performance.now() < until) await sleep(25);
}
