import type { Fault } from './faults/index.js';
import { makeRandom } from './random.js';

/** A strike of the plan; its seed decides whom it strikes. */
export interface Strike {
  fault: Fault;
  seed: number;
}

/**
 * What strikes and in which order, the same for the same seed. Two lanes run side by side: `frequent` is one fault that strikes all the
 * time, so that all the others meet it; `others` come one after the other, in decks: each deck has every fault as often as its share says.
 */
export interface Plan {
  frequent: { fault: Fault; seed: number } | null;
  others: Iterable<Strike>;
}

/** The name of the fault that strikes all the time. */
export const frequentName = 'worker-kill';

/** @param faults what may strike, in any order */
export function makePlan(faults: readonly Fault[], seed: number): Plan {
  const random = makeRandom(seed);
  const nextSeed = (): number => random.below(2 ** 32);
  const frequent = faults.find(({ name }) => name === frequentName);
  const others = faults.filter((fault) => fault !== frequent);
  function* deal(): Generator<Strike> {
    while (others.length > 0) {
      const deck = others.flatMap((fault) => Array.from({ length: fault.share }, () => fault));
      for (const fault of random.shuffle(deck)) yield { fault, seed: nextSeed() };
    }
  }
  return { frequent: frequent ? { fault: frequent, seed: nextSeed() } : null, others: deal() };
}
