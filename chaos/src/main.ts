import { join } from 'node:path';
import { type Progress, playCampaign } from './campaign.js';
import { readOptions, UsageError } from './options.js';
import { proveMechanisms, runControl } from './proofs/take-out.js';
import { findFaults, reportFolder, showOutcome, writeReport } from './report.js';

async function prove(names: readonly string[]): Promise<void> {
  const proven = await proveMechanisms(names);
  console.log(proven ? '\n  without each of them a test is red' : '\n  a mechanism has no test that needs it');
  if (!proven) process.exitCode = 1;
}

async function control(args: readonly string[]): Promise<void> {
  const failed = await runControl(args);
  console.log(
    failed
      ? '\n  without the mechanisms the campaign fails, as it has to'
      : '\n  THE CAMPAIGN DID NOT FAIL: it proves nothing',
  );
  if (!failed) process.exitCode = 1;
}

async function main(): Promise<void> {
  const [command, ...rest] = process.argv.slice(2);
  if (command === 'proofs') return prove(rest);
  if (command === 'control') return control(rest);
  const options = readOptions(process.argv.slice(2));
  if (typeof options === 'string') {
    console.log(options);
    return;
  }
  const length = options.minutes === null ? 'one deck of faults' : `${options.minutes} min`;
  console.log(`  ${options.faults.length} kinds of fault, ${length}, seed ${options.seed}`);
  const ending = new AbortController();
  process.on('SIGINT', () => {
    if (!ending.signal.aborted) console.log('  ends early: waits for the replies that are due');
    ending.abort();
  });
  const show: Progress = ({ seconds, sent, open, kills, last }) => {
    console.log(
      `  ${`${Math.round(seconds)} s`.padStart(7)}  ${String(sent).padStart(6)} sent  ${String(open).padStart(4)} open  ${String(kills).padStart(5)} kills hit  ${last}`,
    );
  };
  const { outcome, stage, hearings } = await playCampaign(options, show, ending.signal);
  console.log(`\n${showOutcome(outcome)}\n`);
  const broken = findFaults(outcome);
  try {
    writeReport(reportFolder, { outcome, stage, hearings });
  } finally {
    await stage.stop();
  }
  if (broken.length === 0) {
    console.log('  every promise held');
    return;
  }
  console.log(`  broken: ${broken.join(', ')}; see ${join(reportFolder, 'chaos-evidence')}`);
  process.exitCode = 1;
}

main().then(
  () => process.exit(),
  (error: unknown) => {
    console.error(error instanceof UsageError ? error.message : error);
    process.exit(error instanceof UsageError ? 2 : 1);
  },
);
