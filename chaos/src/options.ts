import { parseArgs } from 'node:util';
import { z } from 'zod';
import { faults as allFaults, type Fault } from './faults/index.js';
import { frequentName } from './plan.js';

export interface CampaignOptions {
  seed: number;
  faults: readonly Fault[];
  /** Ends after these minutes; null: after one deck of the faults and `kills` kills that hit work. */
  minutes: number | null;
  /** Kills of workers that must hit work in flight before it ends. */
  kills: number;
}

/** What the tests run. */
const shortDeck: Readonly<Record<string, number>> = {
  [frequentName]: 1,
  'gateway-kill': 5,
  'redis-kill': 5,
  'redis-wipe': 1,
  'redis-freeze': 1,
  'postgres-backends': 20,
  'postgres-stop': 1,
};
const shortKills = 100;

const usage = `npm run chaos -- [--minutes N] [--seed N] [--faults a,b,...] [--short]

  --minutes N    how long it strikes, 1 to 1440 (default 30)
  --seed N       0 to 4294967295; the same seed strikes in the same order (default: another each time, printed)
  --faults a,b   only these; a name that ends in - is all that begin with it, as in redis-
  --short        the campaign of npm test: about 5 minutes on two cores
  --list         the faults

  npm run chaos -- control    the same campaign on a worker without its mechanisms: it has to fail
  npm run chaos -- proofs     takes out one mechanism after the other: a named test has to fail
`;

export class UsageError extends Error {}

const whole = (name: string, low: number, high: number) =>
  z.coerce
    .number(`--${name} must be a number`)
    .int(`--${name} must be a whole number`)
    .min(low, `--${name} must be at least ${low}`)
    .max(high, `--${name} must be at most ${high}`);

function chooseFaults(names: string): Fault[] {
  const chosen = new Set<Fault>();
  for (const name of names.split(',').map((part) => part.trim())) {
    const found = allFaults.filter(
      (fault) => fault.name === name || (name.endsWith('-') && fault.name.startsWith(name)),
    );
    if (found.length === 0)
      throw new UsageError(
        `--faults: there is no fault ${name}. There are: ${allFaults.map((one) => one.name).join(', ')}`,
      );
    for (const fault of found) chosen.add(fault);
  }
  return allFaults.filter((fault) => chosen.has(fault));
}

function listFaults(): string {
  return allFaults.map(({ name, what }) => `  ${name.padEnd(18)}${what}`).join('\n');
}

/**
 * Reads the command line. A string is what to print instead of a campaign.
 * @throws {UsageError} naming the option and what it takes
 */
export function readOptions(args: readonly string[]): CampaignOptions | string {
  const { values } = parseOrThrow(args);
  if (values.help) return usage;
  if (values.list) return listFaults();
  try {
    const seed =
      values.seed === undefined
        ? Math.floor(Math.random() * 2 ** 32)
        : whole('seed', 0, 2 ** 32 - 1).parse(values.seed);
    if (values.short) {
      const faults = chooseFaults(values.faults ?? Object.keys(shortDeck).join(',')).map((fault) => ({
        ...fault,
        share: shortDeck[fault.name] ?? fault.share,
      }));
      return { seed, faults, minutes: null, kills: faults.some(({ name }) => name === frequentName) ? shortKills : 0 };
    }
    const minutes = whole('minutes', 1, 1_440).parse(values.minutes ?? 30);
    return { seed, faults: values.faults === undefined ? allFaults : chooseFaults(values.faults), minutes, kills: 0 };
  } catch (error) {
    if (error instanceof z.ZodError) throw new UsageError(error.issues.map(({ message }) => message).join('; '));
    throw error;
  }
}

function parseOrThrow(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        minutes: { type: 'string' },
        seed: { type: 'string' },
        faults: { type: 'string' },
        short: { type: 'boolean' },
        list: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
  }
}
