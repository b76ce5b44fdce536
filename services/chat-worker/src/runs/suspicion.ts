/** From this many deaths of a worker on, a turn is suspected of killing them; with `deadAfter` it is set aside: three deaths alone. */
const aloneFrom = 2;
const deadAfter = 5;

/** How a turn may run: beside others, with the worker to itself, or not again. */
export type Verdict = 'together' | 'alone' | 'dead';

export interface Evidence {
  /** Workers that died while this turn ran. */
  crashes: number;
  /** Workers that died meanwhile without it. */
  beside: number;
}

/**
 * What the deaths of workers say of a turn. In a calm fleet they are its own doing: it runs alone from the second on, and is set aside after three
 * deaths alone. Where workers die anyway (a bad host, no memory, a campaign of faults) its own deaths say little: each death it had no
 * part in excuses one, and while most workers died without it, it runs beside others. Running alone costs a worker all its other turns; when
 * every death makes suspects of innocents, that stops the fleet (runs/suspicion.test.ts plays it). A turn that kills workers in such
 * times is ended by its deadline.
 */
export function judge({ crashes, beside }: Evidence): Verdict {
  if (crashes >= deadAfter + beside) return 'dead';
  return crashes >= aloneFrom && crashes >= beside ? 'alone' : 'together';
}

/** Whether the deaths beside it matter yet. */
export const isSuspect = (crashes: number): boolean => crashes >= aloneFrom;
