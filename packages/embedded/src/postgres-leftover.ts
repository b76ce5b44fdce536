import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { commandOf } from './command-of.js';
import { EmbeddedError } from './embedded-error.js';
import { poll } from './wait.js';

const END_WITHIN_MS = 10_000;

/**
 * Puts right what a server killed by SIGKILL leaves: its `postmaster.pid`, which by now may name a process that has
 * nothing to do with it, and a server nobody owns any more, which is asked to end.
 * @throws {EmbeddedError} when that server does not end within 10 s.
 */
export async function endLeftover(folder: string): Promise<void> {
  const file = join(folder, 'postmaster.pid');
  if (!existsSync(file)) return;
  const pid = Number(readFileSync(file, 'utf8').split('\n')[0]);
  const command = Number.isInteger(pid) && pid > 0 ? commandOf(pid) : undefined;
  if (!command?.includes(folder)) {
    rmSync(file, { force: true });
    return;
  }
  process.kill(pid, 'SIGCONT');
  process.kill(pid, 'SIGINT');
  await poll({
    attempt: async () => (existsSync(file) && commandOf(pid)?.includes(folder) ? undefined : true),
    everyMs: 50,
    withinMs: END_WITHIN_MS,
    tooLate: () =>
      new EmbeddedError(
        'PostgreSQL cannot open its data',
        `process ${pid} of an earlier run still has it`,
        `kill -QUIT ${pid}`,
      ),
  });
}
