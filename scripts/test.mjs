import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build, checkNode, install, pnpm, root } from './prepare.mjs';
import { run, runOpen, signalRunning } from './processes.mjs';
import { Failure, showFailure, step } from './terminal.mjs';
import { fetchTestTools } from './tools.mjs';

const results = join(root, '.sidestage', 'test');
const jestArguments = process.argv.slice(2);
/** Cheap tests first. Whole fleets use both cores by themselves, so they run one at a time. */
const PROJECTS = [
  { name: 'unit', workers: ['--maxWorkers=2'] },
  { name: 'service', workers: ['--maxWorkers=2'] },
  { name: 'fleet', workers: ['--runInBand'] },
];
const CHECKS = [
  { name: 'type check of the page', args: ['--filter', '@sidestage/web', 'typecheck'] },
  { name: 'lint and format', args: ['exec', 'biome', 'check', '.'] },
  { name: 'arrows between packages', args: ['run', 'arrows'] },
];
const totals = { passed: 0, failed: 0, skipped: 0 };

async function runChecks() {
  for (const { name, args } of CHECKS) {
    const [command, all] = pnpm(...args);
    const failed = (output) => new Failure(`${name} failed`, output.slice(-8_000), `pnpm ${args.join(' ')}`);
    try {
      await step(name, async () => void (await run(command, all, { cwd: root, failed })));
    } catch (error) {
      showFailure(error);
      totals.failed += 1;
    }
  }
}

async function runProject({ name, workers }) {
  const outcome = join(results, `${name}.json`);
  rmSync(outcome, { force: true });
  const start = performance.now();
  console.log(`\n  ${name} tests\n`);
  const options = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
  const env = { ...process.env, NODE_OPTIONS: [process.env.NODE_OPTIONS, ...options].filter(Boolean).join(' ') };
  const args = ['node_modules/jest/bin/jest.js', '--selectProjects', name, ...workers, '--passWithNoTests'];
  const code = await runOpen(process.execPath, [...args, '--json', '--outputFile', outcome, ...jestArguments], {
    cwd: root,
    env,
  });
  const before = { ...totals };
  try {
    const counts = JSON.parse(readFileSync(outcome, 'utf8'));
    totals.passed += counts.numPassedTests;
    // A file that could not even be loaded has no test to count.
    totals.failed += counts.numFailedTests + counts.numRuntimeErrorTestSuites;
    totals.skipped += counts.numPendingTests + counts.numTodoTests;
  } catch {
    console.error(`  jest ended with ${code} and left no counts`);
  }
  // Something outside any test may have failed: jest's word counts.
  if (code !== 0 && totals.failed === before.failed) totals.failed += 1;
  console.log(`  ${name} tests took ${((performance.now() - start) / 1000).toFixed(1)} s`);
}

async function main() {
  checkNode();
  await install();
  await build();
  await runChecks();
  const missing = await fetchTestTools();
  mkdirSync(results, { recursive: true });
  for (const project of PROJECTS) await runProject(project);
  for (const reason of missing) {
    console.log(`  tests were skipped: ${reason}`);
    // Where everything must be there, a tool that is not fails the run.
    if (process.env.CI_NEEDS_ALL_TOOLS) totals.failed += 1;
  }
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    signalRunning(signal);
    process.exitCode = 130;
  });
}
try {
  await main();
} catch (error) {
  showFailure(error);
  totals.failed += 1;
}
console.log(`\n${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
if (totals.failed > 0) process.exitCode ||= 1;
