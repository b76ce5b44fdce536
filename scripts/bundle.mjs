import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * Services that start often: killed, rolled, scaled. As one file each they start in half the time, as most of a start is finding and compiling some 800
 * files. Those that start threads from files of their own are left as they are.
 */
const SERVICES = ['gateway', 'chat-worker'];
/** Native, or not there in a plain install; none is needed for a start. */
const EXTERNAL = [
  /^@node-rs\/argon2/,
  /^onnxruntime-node/,
  /^@huggingface\//,
  'msgpackr-extract',
  'node-pg-migrate',
  'pg-native',
];

const bundleOf = (service) => join(root, 'services', service, 'dist', 'bundle', 'main.js');

/** When the newest of the compiled files below a folder was written; bundles are not among them. */
function newestBelow(folder) {
  let newest = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && entry.name !== 'bundle') newest = Math.max(newest, newestBelow(path));
    else if (entry.name.endsWith('.js')) newest = Math.max(newest, statSync(path).mtimeMs);
  }
  return newest;
}

/** Services of which something compiled is newer than their bundle. */
export function staleServices() {
  const packages = join(root, 'packages');
  const shared = readdirSync(packages)
    .map((name) => join(packages, name, 'dist'))
    .filter((folder) => existsSync(folder))
    .map(newestBelow);
  const common = Math.max(
    ...shared,
    statSync(join(root, 'pnpm-lock.yaml')).mtimeMs,
    statSync(fileURLToPath(import.meta.url)).mtimeMs,
  );
  return SERVICES.filter((service) => {
    const bundle = bundleOf(service);
    const newest = Math.max(common, newestBelow(join(root, 'services', service, 'dist')));
    return !existsSync(bundle) || statSync(bundle).mtimeMs < newest;
  });
}

async function bundle(service) {
  const build = await rolldown({
    input: { main: join(root, 'services', service, 'dist', 'main.js') },
    platform: 'node',
    external: EXTERNAL,
    treeshake: { moduleSideEffects: (_id, external) => !external },
    logLevel: 'silent',
  });
  // In one file: a piece that is loaded later imports the entry and waits for it. Without a source map: reading one costs at each start most of what the
  // bundle spares. Names are kept, and where each file began is said in a comment.
  await build.write({ dir: dirname(bundleOf(service)), format: 'esm', cleanDir: true, codeSplitting: false });
  await build.close();
}

/** Bundles the services of which something compiled has changed. */
export async function bundleServices() {
  for (const service of staleServices()) await bundle(service);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await bundleServices();
