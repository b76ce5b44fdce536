import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { commandOf, isPortFree } from '@sidestage/embedded';
import { LaunchError } from './launch-error.js';

const LISTENING = '0A';

/** Inodes of the sockets that listen on `port`, from the kernel's tables. */
function listeningSockets(port: number): Set<string> {
  const inodes = new Set<string>();
  const hexPort = port.toString(16).toUpperCase().padStart(4, '0');
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const row of readFileSync(table, 'utf8').split('\n')) {
      const fields = row.trim().split(/\s+/);
      if (fields[1]?.endsWith(`:${hexPort}`) && fields[3] === LISTENING && fields[9]) inodes.add(fields[9]);
    }
  }
  return inodes;
}

function holds(pid: string, inodes: ReadonlySet<string>): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
      return inode !== undefined && inodes.has(inode);
    });
  } catch {
    // It ended, or belongs to somebody else.
    return false;
  }
}

/** Who listens on a port, in words, as far as this user may know. */
export function describePortHolder(port: number): string {
  try {
    const inodes = listeningSockets(port);
    const pid = readdirSync('/proc').find((name) => /^\d+$/.test(name) && holds(name, inodes));
    if (pid) return `process ${pid} (${(commandOf(Number(pid)) ?? '').slice(0, 80)})`;
  } catch {
    // No /proc on this system.
  }
  return 'another program';
}

/** @throws {LaunchError} for the first port somebody else listens on, naming them and the variable that changes it. */
export async function checkPorts(
  wanted: readonly { name: string; port: number; variable: string }[],
  host: string,
): Promise<void> {
  const taken = new Map<number, string>();
  for (const { name, port, variable } of wanted) {
    const other = taken.get(port);
    if (other) {
      throw new LaunchError(
        `Port ${port} is wanted twice`,
        `by ${other} and by ${name}`,
        `${variable}=${port + 100} npm start`,
      );
    }
    taken.set(port, name);
    if (await isPortFree(port, host)) continue;
    const why = `${describePortHolder(port)} listens on it; ${name} needs it`;
    throw new LaunchError(`Port ${port} is in use`, why, `end that program, or: ${variable}=${port + 100} npm start`);
  }
}
