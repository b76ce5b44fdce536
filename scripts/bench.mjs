import { existsSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { build, checkNode, install, root } from './prepare.mjs';
import { runOpen, signalRunning } from './processes.mjs';
import { Failure, showFailure } from './terminal.mjs';

/** Benches are `services/<service>/src/bench/<name>.ts`; files beside them that begin with an underscore are their parts. */
function findBenches() {
  const benches = new Map();
  for (const service of readdirSync(join(root, 'services'))) {
    const folder = join(root, 'services', service, 'dist', 'bench');
    if (!existsSync(folder)) continue;
    for (const file of readdirSync(folder)) {
      if (file.endsWith('.js') && !file.endsWith('.test.js') && !file.startsWith('_')) {
        benches.set(basename(file, '.js'), join(folder, file));
      }
    }
  }
  return benches;
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => signalRunning(signal));
try {
  checkNode();
  await install();
  await build();
  const benches = findBenches();
  const [name, ...rest] = process.argv.slice(2);
  if (name !== undefined && !benches.has(name)) {
    throw new Failure(
      `There is no bench ${name}`,
      `there are: ${[...benches.keys()].join(', ') || 'none'}`,
      'npm run bench -- <name>',
    );
  }
  for (const [bench, file] of benches) {
    if (name !== undefined && name !== bench) continue;
    console.log(`\n  bench ${bench}\n`);
    const code = await runOpen(process.execPath, ['--enable-source-maps', file, ...rest], { cwd: root });
    if (code !== 0) process.exitCode = code;
  }
} catch (error) {
  showFailure(error);
  process.exitCode = 1;
}
