import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

/** The command line of a process, its words parted by spaces, or undefined where no process has that id. */
export function commandOf(pid: number): string | undefined {
  try {
    // A small machine may have no `ps`, and one that is not Linux has no /proc.
    const command = existsSync('/proc/self/cmdline')
      ? readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
      : execFileSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8', stdio: 'pipe' });
    return command.trim() === '' ? undefined : command.trim();
  } catch {
    return undefined;
  }
}
