import type { ParseArgsConfig } from 'node:util';
import type { Environment } from './config.js';
import type { Gateway } from './gateway.js';

/** What a process that runs the command ends with. */
export const exitCodes = {
  done: 0,
  /** The gateway refused, or could not do, at least one thing that was asked; each is named. */
  failed: 1,
  /** Wrong flags or words; nothing was asked of the gateway. */
  usage: 2,
  /** The gateway cannot be reached, or takes no credential of ours. */
  noAccess: 3,
} as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Ends the command with what is wrong and what to do about it. */
export class CommandError extends Error {
  constructor(
    readonly exitCode: ExitCode,
    message: string,
  ) {
    super(message);
    this.name = 'CommandError';
  }
}

export const usageError = (message: string) => new CommandError(exitCodes.usage, message);

/** Where a command runs. */
export interface Surroundings {
  environment: Environment;
  /** The working directory. */
  folder: string;
  /** One line (or more) to standard output. */
  print(text: string): void;
  /** The same to standard error. */
  warn(text: string): void;
}

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
