import type { FleetProcess } from '@sidestage/testkit';
import { waitFor } from '@sidestage/testkit';
import type { Random } from '../random.js';

/** Longer than any fault lasts that spares the workers. */
const takeMs = 240_000;

/**
 * The processes that faults strike: each is struck by one fault at a time, and only while two of its kind run (of two gateways: one). Otherwise
 * the strikes, which may come faster than a process starts, would hunt the last one, which has all the work.
 */
export function makeCrew(processes: { workers: readonly FleetProcess[]; gateways: readonly FleetProcess[] }) {
  const busy = new Set<FleetProcess>();
  const mending = new Set<FleetProcess>();
  const mends = new Set<Promise<unknown>>();
  const failures: Error[] = [];
  let spared = false;

  return {
    /** One that runs and fits, chosen by chance. */
    async take(kind: 'workers' | 'gateways', random: Random, fits: (one: FleetProcess) => boolean = () => true) {
      const of = processes[kind];
      const needed = of.length > 2 ? 2 : 1;
      return waitFor(
        () => {
          if (spared && kind === 'workers') return null;
          const ready = of.filter((one) => !busy.has(one) && one.alive());
          const fitting = ready.filter(fits);
          if (ready.length < needed || fitting.length === 0) return null;
          const taken = random.pick(fitting);
          busy.add(taken);
          return taken;
        },
        { timeoutMs: takeMs, everyMs: 10, what: `one of the ${kind} to strike` },
      );
    },
    /** Workers that fit, once all that were struck are back: as many as there are, but one lives on. */
    takeMostWorkers(random: Random, fits: (one: FleetProcess) => boolean): Promise<FleetProcess[]> {
      return waitFor(
        () => {
          if (spared || processes.workers.some((one) => mending.has(one))) return null;
          const ready = processes.workers.filter((one) => !busy.has(one) && one.alive());
          const taken = random.shuffle(ready.filter(fits)).slice(0, ready.length - 1);
          if (taken.length === 0) return null;
          for (const one of taken) busy.add(one);
          return taken;
        },
        { timeoutMs: takeMs, everyMs: 10, what: 'workers to strike' },
      );
    },
    /** Mends it in the background; it can be struck again afterwards. */
    mend(one: FleetProcess, work: () => Promise<unknown>): void {
      mending.add(one);
      const mend = work()
        .catch((error: unknown) => void failures.push(error instanceof Error ? error : new Error(String(error))))
        .finally(() => {
          busy.delete(one);
          mending.delete(one);
          mends.delete(mend);
        });
      mends.add(mend);
    },
    /** No worker can be taken. */
    spareWorkers(on: boolean): void {
      spared = on;
    },
    release: (one: FleetProcess) => busy.delete(one),
    /** Waits until all are mended. @throws where one could not be started again */
    async settle(): Promise<void> {
      while (mends.size > 0) await Promise.all(mends);
      if (failures[0]) throw failures[0];
    },
  };
}
export type Crew = ReturnType<typeof makeCrew>;
