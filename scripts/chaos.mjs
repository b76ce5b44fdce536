import { join } from 'node:path';
import { build, checkNode, install, root } from './prepare.mjs';
import { runOpen, signalRunning } from './processes.mjs';
import { showFailure } from './terminal.mjs';

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => signalRunning(signal));
try {
  checkNode();
  await install();
  await build();
  const main = join(root, 'chaos', 'dist', 'main.js');
  process.exitCode = await runOpen(process.execPath, ['--enable-source-maps', main, ...process.argv.slice(2)], {
    cwd: root,
  });
} catch (error) {
  showFailure(error);
  process.exitCode = 1;
}
