import { setTimeout as sleep } from 'node:timers/promises';
import type { Scene, Struck } from './fault.js';

/** Until half of what was open when the fault struck has ended, or so long that the ledger will call it late. Milliseconds. */
const settleMs = 60_000;

async function settle({ crowd }: Scene): Promise<void> {
  const waited = crowd.turns.filter((turn) => turn.endedAt === null);
  const until = performance.now() + settleMs;
  const ended = (): number => waited.filter((turn) => turn.endedAt !== null).length;
  while (performance.now() < until && ended() < waited.length / 2) await sleep(50);
}

/** Does harm and mends it, and lets half of what it met end before the next strike. */
export async function interrupt(scene: Scene, harm: () => Promise<unknown>): Promise<Struck> {
  const hit = scene.crowd.open;
  await harm();
  await settle(scene);
  return { hit };
}
