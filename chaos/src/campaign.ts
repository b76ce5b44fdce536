import { setTimeout as sleep } from 'node:timers/promises';
import { waitFor } from '@sidestage/testkit';
import { retryDeadTurns } from './dead-turns.js';
import { makeCrowd } from './fans/crowd.js';
import { makeWireTap, type WireTap } from './fans/wire-tap.js';
import { makeCrew } from './faults/crew.js';
import type { Fault, Scene } from './faults/index.js';
import { type Ledger, makeLedger } from './ledger/ledger.js';
import type { SentTurn, StoredTurn } from './ledger/records.js';
import type { CampaignOptions } from './options.js';
import { makePlan } from './plan.js';
import { questions } from './questions.js';
import { makeRandom } from './random.js';
import { openStage, type Stage } from './stage/stage.js';
import { makeClaims, type Reclaim } from './work/claims.js';

const size = { gateways: 2, workers: 3, fans: 40 };
/** Turns in flight at most, and messages a second: what two cores carry beside processes that start all the time. */
const load = { outstanding: 140, rate: { short: 7, long: 5 } };
/** Longer than any fault lasts: an answer after it is late. */
const lateMs = 60_000;
/** Between the strikes of the frequent fault. */
const frequentPauseMs = { least: 200, most: 800 };
const endingMs = 180_000;

/** How often a fault struck, how often it found work in flight, and how much. */
export interface Tally {
  name: string;
  what: string;
  struck: number;
  hit: number;
  work: number;
}

export interface Outcome {
  options: CampaignOptions;
  ledger: Ledger;
  tallies: Tally[];
  /** Turns in flight when a worker was killed, the least and the mean. */
  inFlight: { least: number; mean: number };
  /** From a worker's death until its turns were begun again, while no fault kept turns from beginning; and all. */
  reclaimedMs: { calm: readonly number[]; all: readonly number[] };
  resumedMs: readonly number[];
  heardAgainMs: readonly number[];
  answeredMs: readonly number[];
  /** From the moment a reply was stored until its fan had all of it. */
  toldMs: readonly number[];
  /** Turns that were set aside after the deaths of several workers, and answered after an operator's retry. */
  quarantined: number;
  seconds: number;
}

export type Progress = (state: { seconds: number; sent: number; open: number; kills: number; last: string }) => void;

/**
 * Plays one campaign on a fleet of its own; the caller stops its stage. Where it throws the fleet is gone.
 * @param ending once aborted nothing strikes any more: what was asked is waited for and judged
 */
export async function playCampaign(
  options: CampaignOptions,
  onProgress: Progress,
  ending?: AbortSignal,
): Promise<{
  outcome: Outcome;
  stage: Stage;
  hearings: WireTap['hearings'];
}> {
  const stage = await openStage({ ...size, network: options.faults.some(({ network }) => network) });
  const random = makeRandom(options.seed);
  const tap = makeWireTap();
  const crowd = makeCrowd({
    addresses: stage.addresses,
    keys: stage.tenant.keys,
    creatorId: stage.creatorId,
    questions,
    random: makeRandom(random.below(2 ** 32)),
    tap,
    outstanding: load.outstanding,
    rate: options.minutes === null ? load.rate.short : load.rate.long,
  });
  const claims = makeClaims(stage.workers.map(({ logFile }) => logFile));
  const crew = makeCrew(stage);
  const resumedMs: number[] = [];
  const heardAgainMs: number[] = [];
  const inFlight: number[] = [];
  const outages: { from: number; to: number }[] = [];
  const tallies = new Map<string, Tally>();
  const began = performance.now();
  const seconds = (): number => (performance.now() - began) / 1_000;
  let last = '';

  async function strike(fault: Fault, seed: number): Promise<void> {
    const scene: Scene = {
      stage,
      crew,
      crowd,
      tap,
      claims,
      inFlight,
      resumedMs,
      heardAgainMs,
      random: makeRandom(seed),
    };
    last = fault.name;
    const from = Date.now();
    const strikes = [await fault.strike(scene)].flat();
    if (fault.outage) outages.push({ from, to: Date.now() });
    const tally = tallies.get(fault.name) ?? { name: fault.name, what: fault.what, struck: 0, hit: 0, work: 0 };
    tallies.set(fault.name, {
      ...tally,
      struck: tally.struck + strikes.length,
      hit: tally.hit + strikes.filter(({ hit }) => hit > 0).length,
      work: tally.work + strikes.reduce((sum, { hit }) => sum + hit, 0),
    });
  }

  const plan = makePlan(options.faults, random.below(2 ** 32));
  const kills = (): number => (plan.frequent && tallies.get(plan.frequent.fault.name)?.hit) || 0;
  const timeIsUp = (): boolean =>
    ending?.aborted === true || (options.minutes !== null && seconds() > options.minutes * 60);

  async function strikeFrequently(): Promise<void> {
    if (!plan.frequent) return;
    const pace = makeRandom(plan.frequent.seed);
    while (!timeIsUp() && !(options.minutes === null && kills() >= options.kills)) {
      await strike(plan.frequent.fault, pace.below(2 ** 32));
      await sleep(frequentPauseMs.least + pace.below(frequentPauseMs.most - frequentPauseMs.least));
    }
  }

  async function strikeOthers(): Promise<void> {
    const ofADeck = options.faults
      .filter((fault) => fault !== plan.frequent?.fault)
      .reduce((sum, { share }) => sum + share, 0);
    let dealt = 0;
    for (const { fault, seed } of plan.others) {
      if (timeIsUp() || (options.minutes === null && dealt === ofADeck)) break;
      await strike(fault, seed);
      dealt += 1;
      await sleep(500);
    }
  }

  const ticker = setInterval(
    () => onProgress({ seconds: seconds(), sent: crowd.turns.length, open: crowd.open, kills: kills(), last }),
    5_000,
  );
  try {
    crowd.start();
    await sleep(3_000);
    await Promise.all([strikeFrequently(), strikeOthers()]);
    crowd.pause();
    await crew.settle();
    await waitFor(() => crowd.open === 0, { timeoutMs: endingMs, everyMs: 100, what: 'every reply' }).catch(
      () => undefined,
    );
    const quarantined = await retryDeadTurns(stage);
    claims.read();
    const stored = await readStored(stage);
    const ledger = makeLedger({
      sent: crowd.turns,
      hearings: tap.hearings,
      stored,
      lateMs,
      retried: quarantined,
    });
    return {
      stage,
      hearings: tap.hearings,
      outcome: {
        options,
        ledger,
        tallies: [...tallies.values()],
        inFlight: { least: Math.min(...inFlight), mean: inFlight.reduce((sum, one) => sum + one, 0) / inFlight.length },
        reclaimedMs: splitReclaims(claims.reclaims(), outages),
        resumedMs,
        heardAgainMs,
        answeredMs: crowd.turns.flatMap((turn) =>
          turn.end?.kind === 'completed' ? [(turn.endedAt ?? 0) - turn.sentAt] : [],
        ),
        toldMs: measureTelling(crowd.turns, stored),
        quarantined: quarantined.size,
        seconds: seconds(),
      },
    };
  } catch (error) {
    await crowd.close();
    await stage.stop();
    throw error;
  } finally {
    clearInterval(ticker);
    await crowd.close();
  }
}

function splitReclaims(reclaims: readonly Reclaim[], outages: readonly { from: number; to: number }[]) {
  const isCalm = ({ since, ms }: Reclaim): boolean => outages.every(({ from, to }) => since + ms < from || since > to);
  return { calm: reclaims.filter(isCalm).map(({ ms }) => ms), all: reclaims.map(({ ms }) => ms) };
}

function readStored({ postgres, tenant }: Stage): Promise<StoredTurn[]> {
  return postgres.query<StoredTurn & Record<string, unknown>>(
    `SELECT id, conversation_id, idempotency_key, ordinal, state, outcome, reply_text, problem, accepted_at, started_at, ended_at, crashes
     FROM turns WHERE tenant_id = $1`,
    [tenant.id],
  );
}

/** Both clocks are this machine's. */
function measureTelling(sent: readonly SentTurn[], stored: readonly StoredTurn[]): number[] {
  const endedAt = new Map(stored.map((row) => [row.id, row.ended_at?.getTime()]));
  return sent.flatMap((turn) => {
    const storedAt = turn.messageId === null ? undefined : endedAt.get(turn.messageId);
    return turn.end?.kind === 'completed' && turn.endedAt !== null && storedAt !== undefined
      ? [turn.endedAt - storedAt]
      : [];
  });
}
