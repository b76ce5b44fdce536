import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { CommandError, exitCodes, type Surroundings, usageError } from './surroundings.js';

/** Where the gateway is, and who we are to it. */
export interface Access {
  url: string;
  credential: { token: string } | { email: string; password: string; from: string };
}

const defaultUrl = 'http://localhost:8000';
const demoSchema = z.object({
  gateway: z.string(),
  operator: z.object({ email: z.string(), password: z.string() }),
});

/** Of the folder itself or the nearest above it. */
function findDemo({ environment, folder }: Surroundings): string | null {
  for (let at = resolve(folder); ; at = dirname(at)) {
    const file = resolve(at, environment.SIDESTAGE_DATA_DIR, 'demo.json');
    if (existsSync(file)) return file;
    if (at === dirname(at)) return null;
  }
}

function readDemo(file: string): z.infer<typeof demoSchema> {
  try {
    return demoSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    const why = error instanceof z.ZodError ? 'it has no gateway and operator' : String(error);
    throw new CommandError(
      exitCodes.noAccess,
      `${file} cannot be used: ${why}. Set SIDESTAGE_EMAIL and SIDESTAGE_PASSWORD, or run npm start, which writes it.`,
    );
  }
}

function readUrl(text: string): URL {
  try {
    const url = new URL(text);
    if (['http:', 'https:'].includes(url.protocol)) return url;
  } catch {
    // Falls through: no address at all.
  }
  throw usageError(`"${text}" is no address of a gateway; one looks like ${defaultUrl}.`);
}

const isLoopback = ({ hostname }: URL) => hostname === 'localhost' || hostname === '[::1]' || /^127\./.test(hostname);

/** From the flag, the environment, and where neither says it `demo.json`. Throws CommandError with what to set. */
export function findAccess(surroundings: Surroundings, urlFlag: string | undefined): Access {
  const { SIDESTAGE_URL, SIDESTAGE_TOKEN, SIDESTAGE_EMAIL, SIDESTAGE_PASSWORD } = surroundings.environment;
  const demoFile = findDemo(surroundings);
  const given = urlFlag ?? SIDESTAGE_URL;
  const addressed = readUrl(given ?? (demoFile ? readDemo(demoFile).gateway : defaultUrl));
  const url = addressed.href.replace(/\/$/, '');
  if (SIDESTAGE_TOKEN) return { url, credential: { token: SIDESTAGE_TOKEN } };
  if (SIDESTAGE_EMAIL && SIDESTAGE_PASSWORD)
    return { url, credential: { email: SIDESTAGE_EMAIL, password: SIDESTAGE_PASSWORD, from: 'SIDESTAGE_EMAIL' } };
  if (SIDESTAGE_EMAIL || SIDESTAGE_PASSWORD)
    throw new CommandError(
      exitCodes.noAccess,
      `${SIDESTAGE_EMAIL ? 'SIDESTAGE_PASSWORD' : 'SIDESTAGE_EMAIL'} is not set: an account needs both.`,
    );
  if (!demoFile)
    throw new CommandError(
      exitCodes.noAccess,
      `no credential: there is no ${join(surroundings.environment.SIDESTAGE_DATA_DIR, 'demo.json')} in ${surroundings.folder} or above. ` +
        'Set SIDESTAGE_EMAIL and SIDESTAGE_PASSWORD of an operator, or run this where npm start was run.',
    );
  const demo = readDemo(demoFile);
  // The demo's password is for the demo's fleet, not for whatever address was typed.
  if (addressed.origin !== readUrl(demo.gateway).origin && !isLoopback(addressed))
    throw new CommandError(
      exitCodes.noAccess,
      `no credential for ${url}: ${demoFile} is of another fleet. Set SIDESTAGE_EMAIL and SIDESTAGE_PASSWORD of an operator there.`,
    );
  return { url, credential: { ...demo.operator, from: demoFile } };
}
