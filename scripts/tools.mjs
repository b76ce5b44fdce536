import { existsSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { run } from './processes.mjs';
import { Failure, step } from './terminal.mjs';

const WEAVIATE = 'github.com/weaviate/weaviate/cmd/weaviate-server@v1.39.0';
const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'sidestage', 'bin');

const isOnPath = (name) => (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, name)));
const isRoot = () => process.getuid?.() === 0;

async function aptInstall(name) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  const failed = (output) =>
    new Failure(`${name} could not be installed`, output.slice(-300), `apt-get install ${name}`);
  const install = () => run('apt-get', ['install', '-y', '--no-install-recommends', name], { env, failed });
  // A fresh machine has no package lists yet.
  await install().catch(async () => {
    await run('apt-get', ['update'], { env, failed });
    await install();
  });
}

async function haveWeaviate() {
  if (existsSync(join(cache, 'weaviate-server')) || isOnPath('weaviate-server')) return undefined;
  if (!isOnPath('go')) return 'Weaviate cannot be built: there is no Go';
  const failed = (output) => new Failure('Weaviate could not be built', output.slice(-300), `go install ${WEAVIATE}`);
  await step('build Weaviate (once, minutes)', async () => {
    mkdirSync(cache, { recursive: true });
    await run('go', ['install', WEAVIATE], { env: { ...process.env, GOBIN: cache }, failed });
  });
  return undefined;
}

async function haveOnPath(names, aptPackage) {
  if (names.some(isOnPath)) return undefined;
  if (!isRoot() || !isOnPath('apt-get')) return `${names[0]} is missing: apt-get install ${aptPackage}`;
  await step(`install ${aptPackage}`, () => aptInstall(aptPackage));
  return undefined;
}

/**
 * Fetches what only tests use and this machine lacks: Redis, Chromium, Weaviate.
 * Gives, for each that cannot be had, the reason its tests will be skipped.
 */
export async function fetchTestTools() {
  const wanted = [
    () => haveOnPath(['redis-server', 'valkey-server'], 'redis-server'),
    () => haveOnPath(['chromium', 'chromium-browser', 'google-chrome'], 'chromium'),
    haveWeaviate,
  ];
  const missing = [];
  for (const have of wanted) {
    try {
      const reason = await have();
      if (reason) missing.push(reason);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      missing.push(`${error.message} (${error.mend})`);
    }
  }
  return missing;
}
