import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { guard, unguard } from './guardian.js';

export interface OwnedProcessOptions {
  command: string;
  args: readonly string[];
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** Where its stdout and stderr go, appended; without it they are dropped. */
  logFile?: string;
  /** Asks it to end; SIGTERM unless told otherwise. */
  stopSignal?: NodeJS.Signals;
  /** The user to run as; needs root. */
  uid?: number;
  gid?: number;
}

export interface ProcessExit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** A child that cannot outlive us. */
export interface OwnedProcess {
  readonly pid: number;
  /** Resolves when it has ended, for whatever reason; never rejects. */
  readonly exited: Promise<ProcessExit>;
  /** True until it has ended. */
  alive(): boolean;
  /** Sends a signal to its whole process group; does nothing once it has ended. */
  signal(signal: NodeJS.Signals): void;
  /** Asks it to end and, after `deadlineMs` (default 5,000), kills its process group. Resolves when it has ended. */
  stop(deadlineMs?: number): Promise<ProcessExit>;
}

/**
 * Starts a child in a process group of its own, so that a Ctrl-C in the terminal reaches only us and we decide the
 * order in which the parts end; should we die first, the guardian ends it.
 * @throws when the command cannot be started.
 */
export async function startOwnedProcess(options: OwnedProcessOptions): Promise<OwnedProcess> {
  const log = options.logFile ? openSync(options.logFile, 'a', 0o600) : 'ignore';
  const child = spawn(options.command, [...options.args], {
    cwd: options.cwd,
    env: options.env ?? process.env,
    uid: options.uid,
    gid: options.gid,
    detached: true,
    stdio: ['ignore', log, log],
  });
  if (typeof log === 'number') closeSync(log);

  let ended = false;
  const exited = new Promise<ProcessExit>((resolve) => {
    child.once('exit', (code, signal) => {
      ended = true;
      if (child.pid !== undefined) unguard(child.pid);
      resolve({ code, signal });
    });
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  const pid = child.pid as number;
  const stopSignal = options.stopSignal ?? 'SIGTERM';
  guard(pid, stopSignal);

  const signalGroup = (signal: NodeJS.Signals): void => {
    if (ended) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // It ended between our look and the signal; `exited` is about to say so.
    }
  };
  return {
    pid,
    exited,
    alive: () => !ended,
    signal: signalGroup,
    async stop(deadlineMs = 5_000) {
      if (!ended) {
        // Only the leader is asked: a server such as Postgres tells its own children.
        child.kill(stopSignal);
        // A frozen process receives nothing else until it is continued.
        child.kill('SIGCONT');
      }
      const timer = setTimeout(() => signalGroup('SIGKILL'), deadlineMs);
      try {
        return await exited;
      } finally {
        clearTimeout(timer);
      }
    },
  };
}
