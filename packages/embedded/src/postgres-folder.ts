import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { EmbeddedError } from './embedded-error.js';
import { canEnter, type ServerUser, sharedFolder } from './server-user.js';

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
}

function giveTo(folder: string, user: ServerUser): void {
  chmodSync(folder, 0o700);
  if (statSync(folder).uid !== user.uid) execFileSync('chown', ['-R', `${user.uid}:${user.gid}`, folder]);
}

/** Moves the data to where the database's user can reach it, and leaves a link in its place. */
function moveAside(dataDir: string, user: ServerUser): string {
  const home = mkdtempSync(join(sharedFolder(), 'postgres-'));
  chownSync(home, user.uid, user.gid);
  const target = join(home, 'data');
  if (existsSync(dataDir))
    cpSync(dataDir, target, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
  else mkdirSync(target);
  rmSync(dataDir, { recursive: true, force: true });
  symlinkSync(target, dataDir);
  return target;
}

/**
 * Makes the database's folder at `dataDir` and gives its real place: `dataDir` itself or, where we are root and the
 * database's user cannot reach it (a 0700 folder above it), a place it can, which `dataDir` is then a link to. So
 * removing `dataDir` always means beginning anew.
 * @throws {EmbeddedError} when the folder belongs to somebody else.
 */
export function preparePostgresFolder(dataDir: string, user: ServerUser | undefined): string {
  mkdirSync(dirname(dataDir), { recursive: true });
  // A link whose target was cleaned away holds nothing: begin anew.
  if (isLink(dataDir) && !existsSync(dataDir)) rmSync(dataDir);
  if (!user) {
    mkdirSync(dataDir, { recursive: true });
    const folder = realpathSync(dataDir);
    const owner = statSync(folder).uid;
    if (process.getuid && owner !== process.getuid()) {
      const why = `${dataDir} belongs to user ${owner}, from a start as root`;
      throw new EmbeddedError('PostgreSQL cannot open its data', why, `sudo chown -R "$(id -u)" ${dataDir}`);
    }
    chmodSync(folder, 0o700);
    return folder;
  }
  if (!isLink(dataDir) && canEnter(dirname(dataDir), user)) mkdirSync(dataDir, { recursive: true });
  else if (!isLink(dataDir)) moveAside(dataDir, user);
  const folder = realpathSync(dataDir);
  giveTo(folder, user);
  return folder;
}

/** Removes the data folder, wherever it lies. */
export function removePostgresFolder(dataDir: string): void {
  if (isLink(dataDir) && existsSync(dataDir)) rmSync(dirname(realpathSync(dataDir)), { recursive: true, force: true });
  rmSync(dataDir, { recursive: true, force: true });
}
