import type { Evidence, Verdict } from '../runs/suspicion.js';

interface PlayedTurn {
  acceptedAt: number;
  crashes: number;
  poison: boolean;
  runMs: number;
  endsAt: number;
}
interface PlayedWorker {
  upAt: number;
  running: PlayedTurn[];
  /** In the order of arrival, as the gate of runs. */
  gate: { turn: PlayedTurn; alone: boolean }[];
  lone: PlayedTurn | null;
}

export interface FleetPlay {
  judge: (evidence: Evidence) => Verdict;
  seed: number;
  turnsPerSecond: number;
  /** A run takes half to one and a half times this. */
  runMs: number;
  /** Null: nobody kills workers but poison. */
  killEveryMs: number | null;
  /** Kills at even times, or at random ones of that mean. Default even. */
  evenly?: boolean;
  /** Messages that kill their worker, all accepted together after 5 s. */
  poisons?: number;
  seconds: number;
}

export interface PlayedFleet {
  accepted: number;
  answered: number;
  deadInnocents: number;
  deadPoisons: number;
  expired: number;
  /** Of workers. */
  deaths: number;
}

const workerCount = 3;
const slots = 50;
const stepMs = 20;
/** From a death until its turns are in the line again; until the worker is up again. */
const reclaimMs = 2_500;
const restartMs = 1_500;
const poisonMs = 300;
const deadlineMs = 180_000;
const lookBackMs = 60_000;

/** Mulberry32. */
function makeRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Plays the workers of a fleet, their gates and deaths, in steps of 20 ms; nothing is real but the verdicts. */
export function playFleet(play: FleetPlay): PlayedFleet {
  const random = makeRandom(play.seed);
  const workers: PlayedWorker[] = Array.from({ length: workerCount }, () => ({
    upAt: 0,
    running: [],
    gate: [],
    lone: null,
  }));
  const line: PlayedTurn[] = [];
  const reclaimed: { at: number; turn: PlayedTurn }[] = [];
  const deaths: { at: number; lone: PlayedTurn | null }[] = [];
  const result = { accepted: 0, answered: 0, deadInnocents: 0, deadPoisons: 0, expired: 0 };
  let poisonsLeft = play.poisons ?? 0;
  let nextKillAt = play.killEveryMs ?? Number.POSITIVE_INFINITY;
  let now = 0;

  const accept = (poison: boolean) => {
    result.accepted += 1;
    line.push({ acceptedAt: now, crashes: 0, poison, runMs: play.runMs * (0.5 + random()), endsAt: 0 });
  };
  const load = (worker: PlayedWorker) => worker.running.length + worker.gate.length;
  const isUp = (worker: PlayedWorker) => worker.upAt <= now;

  function kill(worker: PlayedWorker): void {
    deaths.push({ at: now, lone: worker.lone });
    for (const turn of worker.running) turn.crashes += 1;
    for (const turn of [...worker.running, ...worker.gate.map((waiting) => waiting.turn)])
      reclaimed.push({ at: now + reclaimMs, turn });
    Object.assign(worker, { upAt: now + restartMs, running: [], gate: [], lone: null });
  }

  function killSomebody(): void {
    if (now < nextKillAt) return;
    const living = workers.filter(isUp);
    const victim = living[Math.floor(random() * living.length)];
    if (victim) kill(victim);
    const mean = play.killEveryMs ?? Number.POSITIVE_INFINITY;
    nextKillAt += play.evenly === false ? -Math.log(1 - random()) * mean : mean;
  }

  function endRuns(worker: PlayedWorker): void {
    for (const turn of [...worker.running]) {
      if (now < turn.endsAt) continue;
      if (turn.poison) {
        kill(worker);
        return;
      }
      worker.running.splice(worker.running.indexOf(turn), 1);
      if (worker.lone === turn) worker.lone = null;
      result.answered += 1;
    }
  }

  function verdictOn(turn: PlayedTurn): Verdict {
    const noted = deaths.filter(
      ({ at, lone }) => at >= turn.acceptedAt - lookBackMs && (lone === null || lone === turn),
    );
    return play.judge({ crashes: turn.crashes, beside: Math.max(0, noted.length - turn.crashes) });
  }

  function openGate(worker: PlayedWorker): void {
    for (let next = worker.gate[0]; next; next = worker.gate[0]) {
      const { turn, alone } = next;
      if (worker.lone || (alone && worker.running.length > 0)) return;
      worker.gate.shift();
      const verdict = alone ? 'alone' : verdictOn(turn);
      if (now - turn.acceptedAt > deadlineMs) result.expired += 1;
      else if (verdict === 'dead') result[turn.poison ? 'deadPoisons' : 'deadInnocents'] += 1;
      else if (verdict === 'alone' && !alone) worker.gate.push({ turn, alone: true });
      else {
        turn.endsAt = now + (turn.poison ? poisonMs : turn.runMs);
        worker.running.push(turn);
        if (alone) worker.lone = turn;
      }
    }
  }

  for (let due = 0; now < play.seconds * 1_000; now += stepMs) {
    for (due += (play.turnsPerSecond * stepMs) / 1_000; due >= 1; due -= 1) accept(false);
    if (now >= 5_000) for (; poisonsLeft > 0; poisonsLeft -= 1) accept(true);
    for (const back of reclaimed.splice(0)) {
      if (back.at <= now) line.unshift(back.turn);
      else reclaimed.push(back);
    }
    killSomebody();
    for (const worker of workers.filter(isUp)) endRuns(worker);
    for (;;) {
      const [idlest] = workers.filter(isUp).sort((a, b) => load(a) - load(b));
      if (!idlest || load(idlest) >= slots) break;
      const turn = line.shift();
      if (!turn) break;
      idlest.gate.push({ turn, alone: false });
    }
    for (const worker of workers.filter(isUp)) openGate(worker);
  }
  return { ...result, deaths: deaths.length };
}
