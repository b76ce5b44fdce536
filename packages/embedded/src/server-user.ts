import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EmbeddedError } from './embedded-error.js';

/** The user PostgreSQL runs as where we are root, which it refuses to run as. */
export interface ServerUser {
  uid: number;
  gid: number;
}

const NAME = 'postgres';

function lookUp(): ServerUser | undefined {
  try {
    const id = (flag: string): number => Number(execFileSync('id', [flag, NAME], { encoding: 'utf8', stdio: 'pipe' }));
    return { uid: id('-u'), gid: id('-g') };
  } catch {
    return undefined;
  }
}

/**
 * The user `postgres`, made when missing, where we are root; undefined where we are not and simply run as ourselves.
 * @throws {EmbeddedError} when it is missing and cannot be made.
 */
export function findServerUser(): ServerUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const known = lookUp();
  if (known) return known;
  const mend = 'useradd --system --user-group --no-create-home postgres';
  try {
    execFileSync('useradd', mend.split(' ').slice(1), { stdio: 'pipe' });
  } catch (error) {
    throw new EmbeddedError(
      'PostgreSQL cannot run as root',
      `the user postgres could not be made (${String(error)})`,
      mend,
    );
  }
  const made = lookUp();
  if (!made) throw new EmbeddedError('PostgreSQL cannot run as root', 'there is no user postgres', mend);
  return made;
}

/** Whether `user` may read and pass through `folder`, asked of the kernel as that user. */
export function canEnter(folder: string, user: ServerUser): boolean {
  try {
    const who = { uid: user.uid, gid: user.gid };
    execFileSync('/bin/sh', ['-c', 'cd "$0"', folder], { ...who, cwd: '/', stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** A folder that every user may pass through, for what the database's user cannot reach where it lies. */
export function sharedFolder(): string {
  for (const base of ['/var/lib', tmpdir()]) {
    const folder = join(base, 'sidestage');
    try {
      mkdirSync(folder, { recursive: true, mode: 0o755 });
      chmodSync(folder, 0o755);
      return folder;
    } catch {
      // Not writable: try the next.
    }
  }
  throw new EmbeddedError(
    'PostgreSQL has no folder',
    'neither /var/lib nor the temporary folder can be written',
    'df -h /var/lib',
  );
}

/**
 * Makes a folder for secrets and data: closed to all but us; where we are root, the database's user may pass through
 * to its own part, and list nothing.
 */
export function makePrivateFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const user = findServerUser();
  if (user) {
    chownSync(folder, 0, user.gid);
    chmodSync(folder, 0o710);
  } else {
    chmodSync(folder, 0o700);
  }
}
