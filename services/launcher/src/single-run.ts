import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { commandOf } from '@sidestage/embedded';
import { LaunchError } from './launch-error.js';
import type { RunEntry } from './run-file.js';

const LEFTOVER_ENDS_WITHIN_MS = 15_000;

/**
 * Claims the data folder for this process; gives what releases it.
 * @throws {LaunchError} when another start runs on it.
 */
export function claimDataFolder(dataDir: string): () => void {
  const file = join(dataDir, 'launcher.pid');
  for (;;) {
    try {
      writeFileSync(file, `${process.pid}\n`, { flag: 'wx', mode: 0o600 });
      return () => rmSync(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const pid = Number(readFileSync(file, 'utf8'));
    if (pid !== process.pid && commandOf(pid)?.includes('launcher')) {
      const why = `process ${pid} already runs on ${dataDir}; its addresses are in ${join(dataDir, 'run.json')}`;
      throw new LaunchError('Sidestage is running', why, `Ctrl-C where it was started, or: kill ${pid}`);
    }
    rmSync(file, { force: true });
  }
}

function isOurs(entry: RunEntry): boolean {
  const command = commandOf(entry.pid);
  if (command === undefined) return false;
  if (entry.name === 'redis') return /(redis|valkey)-server/.test(command) && command.includes(`:${entry.port}`);
  const service = entry.name.replace(/-\d+$/, '');
  return command.includes(`/services/${service}/dist/`);
}

/** Ends what a start that was killed together with its guardian left running; gives how many there were. */
export async function endLeftovers(entries: readonly RunEntry[]): Promise<number> {
  const ours = entries.filter(isOurs);
  for (const { pid } of ours) process.kill(pid, 'SIGTERM');
  const end = performance.now() + LEFTOVER_ENDS_WITHIN_MS;
  for (const entry of ours) {
    while (isOurs(entry) && performance.now() < end) await sleep(50);
    if (isOurs(entry)) process.kill(entry.pid, 'SIGKILL');
  }
  return ours.length;
}
