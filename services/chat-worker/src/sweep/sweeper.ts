import type { Logger } from '@sidestage/runtime';
import type { Housekeeping, OfferedTurn, TurnSweepRepository } from '@sidestage/store';
import { type AdmissionLedger, type Dispatcher, keys } from '@sidestage/turns';
import type { Redis } from 'ioredis';
import { failedSettlement, type TurnEnder } from '../ending/turn-ender.js';
import { deadlineProblem } from '../runs/turn-runner.js';

export interface SweeperOptions {
  repository: TurnSweepRepository;
  housekeeping: Housekeeping;
  dispatcher: Dispatcher;
  ender: TurnEnder;
  ledger: AdmissionLedger;
  /** A request connection. */
  redis: Redis;
  logger: Logger;
  everyMs?: number;
}

/** An offer is looked for in the queue after this; a wiped Redis is noticed with the next sweep. Milliseconds. */
const offerAgeMs = 3_000;
/** A running turn without a sign of life for this long has lost its worker, or its worker Postgres. */
const silenceMs = 6_000;
const unannouncedMs = 3_000;
const hourMs = 3_600_000;
const batch = 500;

/**
 * Puts right what died in between, from what Postgres knows: offers that are not in the queue, runs without a worker, expired turns, endings
 * nobody was told of, conversations nobody released, and everything Redis held after it was wiped. Every worker has one; one at a time sweeps.
 */
export function makeSweeper(options: SweeperOptions) {
  const { repository, housekeeping, dispatcher, ender, ledger, redis, logger, everyMs = 1_500 } = options;
  let keptHouseAt = Number.NEGATIVE_INFINITY;
  let sweeping: Promise<void> | null = null;

  /** Offers those turns whose job is gone. Rejects while Redis cannot be asked. */
  async function offerMissing(turns: OfferedTurn[]): Promise<void> {
    if (turns.length === 0) return;
    const states = await dispatcher.jobStates(turns.map((turn) => turn.turn_id));
    const missing = turns.filter((turn) => states.get(turn.turn_id) === 'missing');
    if (missing.length > 0) logger.warn({ turns: missing.length }, 'offered again: they were not in the queue');
    await Promise.all(missing.map((turn) => dispatcher.offer(turn)));
  }

  async function rebuildRedis(): Promise<void> {
    if ((await redis.exists(keys.rebuilt())) === 1) return;
    await ledger.rebuild(await repository.openTurns(100_000));
    for (let turns = await repository.offersToCheck(0, batch); turns.length > 0; ) {
      await offerMissing(turns);
      turns = turns.length < batch ? [] : await repository.offersToCheck(everyMs, batch);
    }
    await redis.set(keys.rebuilt(), new Date().toISOString());
    logger.info('redis was empty and is filled from postgres');
  }

  async function reclaimSilent(): Promise<void> {
    const silent = await repository.silentRuns(silenceMs, batch);
    if (silent.length === 0) return;
    const states = await dispatcher.jobStates(silent.map((run) => run.turn_id));
    for (const run of silent) {
      // A job that is still there is run again by BullMQ, and its claim counts the crash.
      if (states.get(run.turn_id) !== 'missing' || !(await repository.reclaim(run))) continue;
      logger.warn({ turn_id: run.turn_id }, 'taken from a worker that is gone');
      await dispatcher.offer(run);
    }
  }

  async function endExpired(): Promise<void> {
    const expired = await repository.expired(batch);
    await Promise.all(
      expired.map((turn) => ender.end(failedSettlement(turn, null, 'failed', deadlineProblem(turn)), null)),
    );
  }

  async function announceForgotten(): Promise<void> {
    const forgotten = await repository.unannounced(unannouncedMs, batch);
    await Promise.all(forgotten.map((turn) => ender.announceAgain(turn)));
  }

  async function releaseStuck(): Promise<void> {
    for (const turn of await repository.releaseStuckHeads(batch)) await dispatcher.offer(turn);
  }

  async function keepHouse(): Promise<void> {
    if (performance.now() - keptHouseAt < hourMs) return;
    keptHouseAt = performance.now();
    await repository.forgetIdempotencyKeys();
    await housekeeping.removeExpired();
  }

  const steps = {
    rebuildRedis,
    endExpired,
    offers: async () => offerMissing(await repository.offersToCheck(offerAgeMs, batch)),
    reclaimSilent,
    announceForgotten,
    releaseStuck,
    keepHouse,
  };

  async function sweepAll(): Promise<void> {
    for (const [step, run] of Object.entries(steps)) {
      try {
        await run();
      } catch (error) {
        // What Redis cannot be asked now is found again by the next sweep.
        logger.debug({ err: error, step }, 'sweep step not done');
      }
    }
  }

  /** One sweep, unless another worker is at it. */
  function sweep(): Promise<void> {
    sweeping ??= repository
      .asLeader(sweepAll)
      .then(
        () => undefined,
        (error: unknown) => logger.debug({ err: error }, 'not swept'),
      )
      .finally(() => {
        sweeping = null;
      });
    return sweeping;
  }

  const timer = setInterval(() => void sweep(), everyMs);
  return {
    sweep,
    async close(): Promise<void> {
      clearInterval(timer);
      await sweeping;
    },
  };
}
