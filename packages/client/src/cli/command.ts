import type { ParseArgsConfig } from 'node:util';
import type { Gateway } from './gateway.js';
import type { ExitCode, Surroundings } from './surroundings.js';

export interface CommandContext extends Surroundings {
  /** Flags as parsed, and the words that are none. */
  flags: Readonly<Record<string, string | boolean | undefined>>;
  words: readonly string[];
  /** The gateway with the operator's credential; asked for the first time it signs in. */
  gateway(): Promise<Gateway>;
}

/** One line of the command table. */
export interface Command {
  /** As it is typed: `dead ls`. */
  name: string;
  /** What follows the name: `<id>... | --all`. */
  takes: string;
  summary: string;
  /** For --help, below the summary. */
  details?: string;
  options: NonNullable<ParseArgsConfig['options']>;
  /** A line for each option. */
  optionHelp: Readonly<Record<string, string>>;
  run(context: CommandContext): Promise<ExitCode>;
}
