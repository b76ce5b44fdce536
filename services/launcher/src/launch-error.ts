import { EmbeddedError } from '@sidestage/embedded';
import { ConfigError } from '@sidestage/runtime';

/** A failed start in the three lines a person needs: what, why, and the command or step that mends it. */
export class LaunchError extends Error {
  constructor(
    readonly what: string,
    readonly why: string,
    readonly mend: string,
  ) {
    super(`${what}: ${why}`);
    this.name = 'LaunchError';
  }
}

/** The three lines of whatever stopped a start. */
export function explain(error: unknown): { what: string; why: string; mend: string } {
  if (error instanceof LaunchError) return error;
  if (error instanceof EmbeddedError)
    return { what: error.message.replace(`: ${error.why}`, ''), why: error.why, mend: error.mend };
  if (error instanceof ConfigError) {
    return {
      what: 'A setting is wrong',
      why: error.problems.join('; '),
      mend: 'correct it in the environment or in .env',
    };
  }
  const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { what: 'The start failed', why, mend: 'npm start, and see .sidestage/logs where it fails again' };
}
