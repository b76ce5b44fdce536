import type { Environment } from './config.js';

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
  /** How far a long work is, in place of what it said before; null takes it away. */
  status(line: string | null): void;
}
