import { spawn } from 'node:child_process';
import { Failure } from './terminal.mjs';

const running = new Set();
const KEPT_CHARACTERS = 20_000;

/** Passes a signal to what runs now, so that nothing we started goes on without us. */
export function signalRunning(signal) {
  for (const child of running) child.kill(signal);
}

function launch(command, args, options) {
  const child = spawn(command, args, options);
  running.add(child);
  child.once('close', () => running.delete(child));
  return child;
}

/** Runs a command quietly; gives its output. @throws {Failure} `failed(output)` when it does not end with 0. */
export function run(command, args, { cwd, env = process.env, failed }) {
  return new Promise((resolve, reject) => {
    const child = launch(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const collect = (data) => {
      output = (output + data).slice(-KEPT_CHARACTERS);
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.once('error', (error) => reject(failed(String(error))));
    child.once('close', (code) => (code === 0 ? resolve(output) : reject(failed(output.trim()))));
  });
}

/** Runs a command that speaks to the terminal itself; gives its exit code, 1 where a signal ended it. */
export function runOpen(command, args, { cwd, env = process.env }) {
  return new Promise((resolve, reject) => {
    const child = launch(command, args, { cwd, env, stdio: 'inherit' });
    child.once('error', (error) =>
      reject(new Failure(`${command} cannot be run`, String(error), `install ${command}`)),
    );
    child.once('close', (code) => resolve(code ?? 1));
  });
}
