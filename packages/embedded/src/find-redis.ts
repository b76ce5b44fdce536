import { execFile } from 'node:child_process';
import { accessSync, constants, mkdirSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { EmbeddedError } from './embedded-error.js';

const run = promisify(execFile);
const APT_ENVIRONMENT = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
const APT_DEADLINE_MS = 180_000;

/** A Redis-compatible server's program and the environment it needs. */
export interface RedisProgram {
  path: string;
  env?: NodeJS.ProcessEnv;
}

export interface FindRedisOptions {
  /** Where a package fetched for an ordinary user is unpacked; without it nothing is fetched for one. */
  toolsDir?: string;
  /** Told, in a few words, when something is about to be fetched. */
  onProgress?: (message: string) => void;
}

/** The first of `names` that PATH leads to. */
export function findOnPath(names: readonly string[], path = process.env.PATH ?? ''): string | undefined {
  for (const folder of path.split(delimiter)) {
    for (const name of names) {
      const candidate = join(folder, name);
      try {
        accessSync(candidate, constants.X_OK);
        return candidate;
      } catch {
        // Not here: look further.
      }
    }
  }
  return undefined;
}

function libraryFolders(root: string): string[] {
  const folders: string[] = [];
  for (const base of [join(root, 'usr', 'lib'), join(root, 'lib')]) {
    try {
      for (const entry of readdirSync(base, { withFileTypes: true })) {
        if (entry.isDirectory() && entry.name.includes('-linux-')) folders.push(join(base, entry.name));
      }
    } catch {
      // The package brought no libraries of this kind.
    }
  }
  return folders;
}

function findUnpacked(root: string): RedisProgram | undefined {
  const path = findOnPath(['redis-server', 'valkey-server'], join(root, 'usr', 'bin'));
  if (!path) return undefined;
  return { path, env: { ...process.env, LD_LIBRARY_PATH: libraryFolders(root).join(delimiter) } };
}

async function installAsRoot(): Promise<void> {
  const install = ['install', '-y', '--no-install-recommends', 'redis-server'];
  const options = { env: APT_ENVIRONMENT, timeout: APT_DEADLINE_MS };
  try {
    await run('apt-get', install, options);
  } catch {
    // A fresh machine has no package lists yet.
    await run('apt-get', ['update'], options);
    await run('apt-get', install, options);
  }
}

/** Downloads the package and whatever of its dependencies this machine lacks, and unpacks them without installing. */
async function unpackAsUser(root: string): Promise<void> {
  mkdirSync(root, { recursive: true });
  const options = { env: APT_ENVIRONMENT, timeout: APT_DEADLINE_MS, cwd: root };
  const plan = async (apt: readonly string[]): Promise<void> => {
    const { stdout } = await run(
      'apt-get',
      [...apt, '-s', 'install', '--no-install-recommends', 'redis-server'],
      options,
    );
    const packages = [...stdout.matchAll(/^Inst (\S+)/gm)].map((match) => match[1] as string);
    await run('apt-get', [...apt, 'download', ...packages], options);
  };
  try {
    await plan([]);
  } catch {
    const lists = join(root, 'lists');
    mkdirSync(join(lists, 'partial'), { recursive: true });
    const own = ['-o', `Dir::State::Lists=${lists}`, '-o', `Dir::Cache=${join(root, 'cache')}`];
    await run('apt-get', [...own, 'update'], options);
    await plan(own);
  }
  for (const file of readdirSync(root)) {
    if (file.endsWith('.deb')) await run('dpkg', ['-x', file, root], options);
  }
}

/**
 * Finds a Redis server: on PATH, or unpacked earlier, or fetched from Debian's archive: installed where we are root,
 * unpacked below `toolsDir` where we are not.
 * @throws {EmbeddedError} that names the one command to run.
 */
export async function findRedis(options: FindRedisOptions = {}): Promise<RedisProgram> {
  const onPath = findOnPath(['redis-server', 'valkey-server']);
  if (onPath) return { path: onPath };
  const root = options.toolsDir ? join(options.toolsDir, 'redis') : undefined;
  const unpacked = root ? findUnpacked(root) : undefined;
  if (unpacked) return unpacked;

  const isRoot = process.getuid?.() === 0;
  const mend =
    process.platform === 'darwin' ? 'brew install redis' : `${isRoot ? '' : 'sudo '}apt-get install redis-server`;
  const missing = (why: string): EmbeddedError => new EmbeddedError('Redis is missing', why, mend);
  if (!findOnPath(['apt-get']))
    throw missing('neither redis-server nor valkey-server is on PATH, and there is no apt-get to fetch it with');
  options.onProgress?.('fetching Redis from the Debian archive');
  try {
    if (isRoot) await installAsRoot();
    else if (root) await unpackAsUser(root);
  } catch (error) {
    const reason = error instanceof Error ? (error.message.trim().split('\n').at(-1) ?? '') : String(error);
    throw missing(`it is not on PATH and apt-get could not fetch it (${reason})`);
  }
  const installed = findOnPath(['redis-server', 'valkey-server']);
  const program = installed ? { path: installed } : root ? findUnpacked(root) : undefined;
  if (!program) throw missing('it is not on PATH');
  return program;
}
