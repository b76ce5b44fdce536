import { setTimeout as sleep } from 'node:timers/promises';
import { waitFor } from '@sidestage/testkit';
import type { SentTurn } from '../ledger/records.js';
import { slowModel, usualModel } from '../stage/stage.js';
import type { Fault, Scene, Struck } from './fault.js';

/** Longer than a job's lock lives. */
const frozenMs = 7_000;
/** A worker that is killed before it has answered anything is a fleet that stands still, not one that is struck. */
const leastLifeMs = 1_000;
/** Open streams when a gateway is killed. */
const streams = 500;
/** By then nearly all are open there and as many as the workers take are in the middle of their replies, or it strikes with fewer. */
const openingMs = 30_000;
const nearlyAll = 0.95;
/** No more are about to begin when hardly one has for this long: their searches took a second of two cores from those who came back. */
const settledMs = 1_000;
const hardly = 3;

/** Those of its turns that really were in the middle: Postgres says so. */
async function countCutOff({ stage, claims }: Scene, pid: number, since: number): Promise<number> {
  claims.read();
  const held = claims.heldBy(pid);
  const running = await stage.postgres
    .query<{ id: string; epoch: number }>(`SELECT id, epoch FROM turns WHERE state = 'running' AND id = ANY($1)`, [
      held.map((claim) => claim.turnId),
    ])
    .catch(() => []);
  const epochs = new Map(running.map(({ id, epoch }) => [id, epoch]));
  const cut = held.filter((claim) => epochs.get(claim.turnId) === claim.epoch);
  claims.cutOff(cut, since);
  return cut.length;
}

export const workerKill: Fault = {
  name: 'worker-kill',
  what: 'SIGKILL of a worker in the middle of replies, two of three at once',
  share: 1,
  async strike(scene) {
    const workers = await scene.crew.takeMostWorkers(scene.random, ({ pid }) => {
      scene.claims.read();
      return scene.claims.workedMs(pid) >= leastLifeMs && scene.claims.heldBy(pid).length > 0;
    });
    const since = Date.now();
    scene.inFlight.push(...workers.map(() => scene.crowd.open));
    await Promise.all(workers.map((worker) => worker.kill()));
    const pids = workers.map(({ pid }) => pid);
    for (const worker of workers) scene.crew.mend(worker, () => worker.start());
    return Promise.all(pids.map(async (pid) => ({ hit: await countCutOff(scene, pid, since) })));
  },
};

export const workerFreeze: Fault = {
  name: 'worker-freeze',
  what: 'SIGSTOP of a worker past its locks, then SIGCONT',
  share: 1,
  async strike(scene) {
    const worker = await scene.crew.take('workers', scene.random);
    worker.freeze();
    scene.claims.read();
    const hit = scene.claims.heldBy(worker.pid).length;
    await sleep(frozenMs);
    worker.resume();
    scene.crew.release(worker);
    return { hit };
  },
};

export const workerRoll: Fault = {
  name: 'worker-roll',
  what: 'SIGTERM of each worker in turn under load',
  share: 1,
  async strike(scene) {
    let hit = 0;
    for (const worker of scene.stage.workers) {
      const taken = await scene.crew.take('workers', scene.random, (one) => one === worker);
      scene.claims.read();
      hit += scene.claims.heldBy(taken.pid).length;
      await taken.stop();
      await taken.start();
      scene.crew.release(taken);
    }
    return { hit };
  },
};

/**
 * Waits until each of these streams is open again elsewhere, and notes how long that took; for those in the middle of a reply, until it went on. One whose
 * turn has ended meanwhile by another road is let go.
 */
async function watchResume(
  { crowd, tap, resumedMs, heardAgainMs }: Scene,
  streamsCut: readonly { messageId: string; midReply: boolean }[],
  since: number,
): Promise<void> {
  const reopening = new Set(streamsCut.map(({ messageId }) => messageId));
  const unheard = new Set(streamsCut.flatMap(({ messageId, midReply }) => (midReply ? [messageId] : [])));
  const until = Date.now() + 60_000;
  while (reopening.size + unheard.size > 0 && Date.now() < until) {
    for (const messageId of new Set([...reopening, ...unheard])) {
      const last = tap.hearings.get(messageId)?.at(-1);
      if (!last || last.begunAt < since) {
        if (crowd.hasEnded(messageId)) for (const waited of [reopening, unheard]) waited.delete(messageId);
        continue;
      }
      if (reopening.delete(messageId)) resumedMs.push(last.begunAt - since);
      if (last.heardAt !== null && unheard.delete(messageId)) heardAgainMs.push(last.heardAt - since);
    }
    await sleep(20);
  }
}

/** Whether nearly all streams are open, half of them in the middle of their replies, and no more are about to get there. */
function makeUnderWay() {
  const seen: { at: number; midReply: number }[] = [];
  return (open: readonly { midReply: boolean }[]): boolean => {
    const midReply = open.filter((one) => one.midReply).length;
    const at = performance.now();
    seen.push({ at, midReply });
    const before = seen.findLast((one) => one.at <= at - settledMs);
    return (
      open.length >= streams * nearlyAll &&
      midReply >= streams / 2 &&
      before !== undefined &&
      midReply - before.midReply <= hardly
    );
  };
}

export const gatewayKill: Fault = {
  name: 'gateway-kill',
  what: `SIGKILL of a gateway with ${streams} open streams`,
  share: 1,
  async strike(scene) {
    const { stage, crew, crowd, tap, random } = scene;
    const gateway = await crew.take('gateways', random);
    crowd.pause();
    // Its replies live longer than a worker does.
    crew.spareWorkers(true);
    await stage.model.behave(slowModel);
    let surge: SentTurn[] = [];
    try {
      const at = stage.gateways.indexOf(gateway);
      surge = crowd.surge(streams, at);
      const openNow = () => tap.openAt(stage.addresses[at] ?? '');
      const isUnderWay = makeUnderWay();
      const until = performance.now() + openingMs;
      while (!isUnderWay(openNow()) && performance.now() < until) await sleep(50);
      const cut = openNow();
      const since = Date.now();
      await gateway.kill();
      // The other one has them all: nobody is there again before they are.
      await watchResume(scene, cut, since);
      crew.mend(gateway, () => gateway.start());
      return { hit: cut.length };
    } finally {
      await stage.model.behave(usualModel);
      await stage.model.hurry();
      // Hundreds cut off at once by the next strike, while workers go on dying, would be a backlog and not a fault.
      const ended = (): boolean => surge.every((turn) => turn.endedAt !== null);
      await waitFor(ended, { timeoutMs: 120_000, what: 'the surge to end' }).finally(() => {
        crew.spareWorkers(false);
        crowd.start();
      });
    }
  },
};

export const gatewayFreeze: Fault = {
  name: 'gateway-freeze',
  what: 'SIGSTOP of a gateway for 4 s',
  share: 1,
  async strike({ crew, crowd, random }) {
    const gateway = await crew.take('gateways', random);
    const hit = crowd.open;
    gateway.freeze();
    await sleep(4_000);
    gateway.resume();
    crew.release(gateway);
    return { hit };
  },
};

export const gatewayRoll: Fault = {
  name: 'gateway-roll',
  what: 'SIGTERM of each gateway in turn under load',
  share: 1,
  async strike({ stage, crew, crowd, random }) {
    let hit = 0;
    for (const gateway of stage.gateways) {
      const taken = await crew.take('gateways', random, (one) => one === gateway);
      hit += crowd.open;
      await taken.stop();
      await taken.start();
      crew.release(taken);
    }
    return { hit };
  },
};

async function withoutRetrieval(
  { stage, crowd }: Scene,
  how: () => Promise<void>,
  back: () => Promise<void>,
): Promise<Struck> {
  const hit = crowd.open;
  await how();
  await sleep(2_000);
  await back();
  await waitFor(() => stage.retrieval.alive());
  return { hit };
}

export const retrievalKill: Fault = {
  name: 'retrieval-kill',
  what: 'SIGKILL of retrieval, started again after 2 s',
  share: 1,
  strike: (scene) =>
    withoutRetrieval(
      scene,
      () => scene.stage.retrieval.kill(),
      () => scene.stage.retrieval.start(),
    ),
};

export const retrievalFreeze: Fault = {
  name: 'retrieval-freeze',
  what: 'SIGSTOP of retrieval for 2 s',
  share: 1,
  strike: (scene) =>
    withoutRetrieval(
      scene,
      async () => scene.stage.retrieval.freeze(),
      async () => scene.stage.retrieval.resume(),
    ),
};

export const retrievalRoll: Fault = {
  name: 'retrieval-roll',
  what: 'SIGTERM of retrieval, started again after 2 s',
  share: 1,
  strike: (scene) =>
    withoutRetrieval(
      scene,
      async () => void (await scene.stage.retrieval.stop()),
      () => scene.stage.retrieval.start(),
    ),
};
