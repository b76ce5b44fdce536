import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { build, checkNode, install, root } from './prepare.mjs';
import { signalRunning } from './processes.mjs';
import { showFailure } from './terminal.mjs';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];
let launcher;
let interrupted = false;

function forward(signal) {
  interrupted = true;
  if (launcher) launcher.kill(signal);
  else {
    signalRunning('SIGTERM');
    process.exitCode = 130;
  }
}

/** npm may be killed in a way it cannot pass on; then nobody is left to stop us. */
function watchNpm() {
  if (!process.env.npm_lifecycle_event) return;
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) forward('SIGTERM');
  }, 1_000).unref();
}

/** The supervisor of the fleet. The channel tells it, by closing, when we are gone. */
function launch() {
  launcher = spawn(
    process.execPath,
    [join(root, 'services', 'launcher', 'dist', 'main.js'), ...process.argv.slice(2)],
    {
      cwd: root,
      stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    },
  );
  launcher.once('exit', (code) => process.exit(code ?? 1));
}

for (const signal of SIGNALS) process.on(signal, () => forward(signal));
try {
  checkNode();
  watchNpm();
  console.log('\n  Sidestage\n');
  await install();
  await build();
  if (!interrupted) launch();
} catch (error) {
  if (!interrupted) {
    showFailure(error);
    process.exitCode = 1;
  }
}
