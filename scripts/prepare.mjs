import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './processes.mjs';
import { Failure, step } from './terminal.mjs';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const PNPM_VERSION = '12.21.0';
const tools = join(root, '.sidestage', 'tools');
const stamps = join(root, '.sidestage', 'stamps');
const pnpmPackage = join(tools, 'node_modules', 'pnpm');
const pnpmProgram = join(tools, 'node_modules', '.bin', 'pnpm');
const SKIPPED = new Set(['node_modules', 'dist', '.sidestage']);

/** @throws {Failure} on a Node that is too old; kept to syntax that an old one can read. */
export function checkNode(version = process.versions.node) {
  const [major, minor] = version.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  throw new Failure(
    'Node is too old',
    `this is Node ${version}; Sidestage needs 20.19 or newer`,
    'https://nodejs.org/en/download (or: nvm install 22)',
  );
}

function workspaceFolders() {
  const grouped = ['packages', 'services'].flatMap((group) =>
    readdirSync(join(root, group), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(root, group, entry.name)),
  );
  return [...grouped, join(root, 'chaos')];
}

function* filesBelow(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (!SKIPPED.has(entry.name)) yield* filesBelow(path);
    } else if (entry.isFile()) yield path;
  }
}

/** One hash over the names and contents of files. */
function hashFiles(paths, seed = '') {
  const hash = createHash('sha256').update(seed);
  for (const path of [...paths].sort()) {
    hash.update(`\0${relative(root, path)}\0`);
    hash.update(readFileSync(path));
  }
  return hash.digest('hex');
}

const stampOf = (name) => (existsSync(join(stamps, name)) ? readFileSync(join(stamps, name), 'utf8') : '');

function stamp(name, value) {
  mkdirSync(stamps, { recursive: true });
  writeFileSync(join(stamps, name), value);
}

const npm = () => {
  const entry = process.env.npm_execpath;
  return entry?.endsWith('npm-cli.js') ? [process.execPath, [entry]] : ['npm', []];
};

const lastLines = (output) => output.split('\n').filter(Boolean).slice(-6).join('\n    ');

/** The command and the arguments that run the project's own pnpm. */
export const pnpm = (...args) => [pnpmProgram, args];

async function fetchPnpm() {
  const manifest = join(pnpmPackage, 'package.json');
  if (existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).version === PNPM_VERSION) return;
  await step('fetch pnpm', async () => {
    mkdirSync(tools, { recursive: true });
    const [command, first] = npm();
    const quiet = ['--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error'];
    const mend = `npm install --prefix .sidestage/tools pnpm@${PNPM_VERSION}`;
    const failed = (output) => new Failure('pnpm could not be fetched', lastLines(output), mend);
    await run(command, [...first, 'install', '--prefix', tools, ...quiet, `pnpm@${PNPM_VERSION}`], {
      cwd: tools,
      failed,
    });
    // Its install script puts the program for this machine in place; an npm told to run no scripts leaves that to us.
    await run(process.execPath, ['install.js'], { cwd: pnpmPackage, failed });
    return PNPM_VERSION;
  });
}

/** Installs the packages where the lockfile or a package.json changed since the last time. */
export async function install() {
  await fetchPnpm();
  const manifests = [root, ...workspaceFolders()]
    .map((folder) => join(folder, 'package.json'))
    .filter((file) => existsSync(file));
  const files = [...manifests, join(root, 'pnpm-lock.yaml'), join(root, 'pnpm-workspace.yaml')];
  const wanted = hashFiles(files, `${process.platform} ${process.arch} ${process.versions.modules}`);
  if (stampOf('install') === wanted && existsSync(join(root, 'node_modules', '.modules.yaml'))) return;
  await step('install packages', async () => {
    const [command, args] = pnpm('install', '--frozen-lockfile', '--prefer-offline', '--reporter=append-only');
    await run(command, args, {
      cwd: root,
      // Asked nothing: where it would rather begin anew, it may.
      env: { ...process.env, CI: 'true' },
      failed: (output) =>
        new Failure(
          'The packages could not be installed',
          lastLines(output),
          'npm start (again), or see the lines above',
        ),
    });
    stamp('install', wanted);
  });
}

async function buildPart(name, label, files, outputs, args) {
  const wanted = hashFiles(files);
  if (stampOf(name) === wanted && outputs.every((file) => existsSync(join(root, file)))) return false;
  await step(label, async () => {
    const [command, first] = pnpm(...args);
    await run(command, first, {
      cwd: root,
      failed: (output) =>
        new Failure(`${label} failed`, lastLines(output), `${relative(root, pnpmProgram)} ${args.join(' ')}`),
    });
    stamp(name, wanted);
  });
  return true;
}

/** Compiles the services and the page where a source changed since the last time. */
export async function build() {
  const settings = ['package.json', 'tsconfig.json', 'tsconfig.base.json', 'pnpm-lock.yaml'].map((file) =>
    join(root, file),
  );
  const web = join(root, 'services', 'web');
  const sources = workspaceFolders()
    .filter((folder) => folder !== web)
    .flatMap((folder) => [...filesBelow(folder)])
    .filter((file) => /\.(ts|tsx|json)$/.test(file));
  const mains = ['gateway', 'chat-worker', 'retrieval', 'launcher'].map((name) => `services/${name}/dist/main.js`);
  await buildPart('build', 'compile services', [...settings, ...sources], mains, ['exec', 'tsc', '-b']);
  // Its own dependencies are there only now.
  const { bundleServices, staleServices } = await import('./bundle.mjs');
  if (staleServices().length > 0) await step('bundle services', () => bundleServices());
  const shared = ['contracts', 'client'].flatMap((name) => [...filesBelow(join(root, 'packages', name, 'src'))]);
  const pages = [...settings, ...shared, ...filesBelow(web)];
  await buildPart(
    'web',
    'build the page',
    pages,
    ['services/web/dist/server/main.js'],
    ['--filter', '@sidestage/web', 'build'],
  );
}
