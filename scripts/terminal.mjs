const live = process.stdout.isTTY === true && !process.env.NO_COLOR;
const colour = (code) => (text) => (live ? `\u001b[${code}m${text}\u001b[0m` : text);
const [bold, dim, red, green] = [colour(1), colour(2), colour(31), colour(32)];
const LABEL_WIDTH = 34;

/** Something a person can mend: what failed, why, and the command that mends it. */
export class Failure extends Error {
  constructor(what, why, mend) {
    super(`${what}: ${why}`);
    Object.assign(this, { what, why, mend });
  }
}

/** Runs one step and prints its name with the time it took and, where `run` gives one, a remark. */
export async function step(name, run) {
  const start = performance.now();
  if (process.stdout.isTTY) process.stdout.write(`\r\u001b[K  ${dim('·')} ${name}`);
  try {
    const remark = await run();
    const time = `${((performance.now() - start) / 1000).toFixed(1)} s`.padStart(7);
    if (process.stdout.isTTY) process.stdout.write('\r\u001b[K');
    console.log(`  ${green('✓')} ${name.padEnd(LABEL_WIDTH)} ${dim(time)}${remark ? `  ${dim(remark)}` : ''}`);
  } catch (error) {
    if (process.stdout.isTTY) process.stdout.write('\r\u001b[K');
    throw error;
  }
}

/** Three lines for a failure; anything unforeseen with its stack. */
export function showFailure(error) {
  if (!(error instanceof Failure)) {
    console.error(error);
    return;
  }
  console.error(`  ${red('✗')} ${bold(error.what)}\n    ${error.why}\n    ${dim('→')} ${error.mend}`);
}
