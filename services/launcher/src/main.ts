import { readConfig } from './config.js';
import type { Keeper } from './keeper.js';
import { explain } from './launch-error.js';
import { runFleet } from './run.js';
import { makeTerminal } from './terminal.js';

const terminal = makeTerminal(process.stdout, Boolean(process.env.NO_COLOR));
let keeper: Keeper | undefined;

async function stop(code: number): Promise<never> {
  try {
    await keeper?.stop();
  } catch (error) {
    terminal.failure(explain(error));
    process.exit(1);
  }
  process.exit(code);
}

function stopOnce(): void {
  if (!keeper?.stopping) terminal.line('\n  stopping');
  void stop(0);
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stopOnce);
// `npm start` holds the other end; where it is killed, nobody is left to stop us.
process.once('disconnect', stopOnce);
// A closed terminal must not end us before the fleet has ended.
process.stdout.on('error', () => undefined);

try {
  await runFleet(readConfig(process.env, process.argv.slice(2)), terminal, (started) => {
    keeper = started;
  });
} catch (error) {
  // A start that is being stopped fails by itself.
  if (!keeper?.stopping) {
    terminal.failure(explain(error));
    await stop(1);
  }
}
