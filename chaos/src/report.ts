import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Outcome } from './campaign.js';
import type { Hearing } from './ledger/records.js';
import type { Stage } from './stage/stage.js';

/** Where reports go. */
export const reportFolder = join(process.env.SIDESTAGE_DATA_DIR ?? '.sidestage', 'bench');
/** Kinds of verdict that break a promise. */
const broken = ['lost', 'duplicated', 'reordered', 'gap'] as const;
const shownVerdicts = 20;

export function quantile(values: readonly number[], share: number): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? null;
}

/** What of the promises did not hold; empty when the campaign is won. */
export function findFaults({ ledger, options, tallies }: Outcome): string[] {
  const wrong: string[] = broken.flatMap((kind) => (ledger.counts[kind] > 0 ? [`${ledger.counts[kind]} ${kind}`] : []));
  if (ledger.strangers > 0) wrong.push(`${ledger.strangers} turns that nobody sent`);
  if (ledger.counts.answered === 0) wrong.push('nothing was answered');
  const failures = ledger.verdicts.filter(
    ({ verdict }) => verdict.kind === 'failed' && !verdict.why?.endsWith('model_failed'),
  );
  if (failures.length > 0) wrong.push(`${failures.length} failed for another reason than the model`);
  const kills = tallies.find(({ name }) => name === 'worker-kill')?.hit ?? 0;
  if (kills < options.kills) wrong.push(`only ${kills} kills hit work in flight`);
  return wrong;
}

const seconds = (ms: number | null): string => (ms === null ? '-' : `${(ms / 1_000).toFixed(2)} s`);
const times = (name: string, values: readonly number[]): string =>
  `  ${name.padEnd(34)} p50 ${seconds(quantile(values, 0.5))}   p99 ${seconds(quantile(values, 0.99))}   longest ${seconds(quantile(values, 1))}   (${values.length})`;

/** The table people read. */
export function showOutcome(outcome: Outcome): string {
  const { ledger, tallies, options } = outcome;
  const width = Math.max(...tallies.map(({ name }) => name.length), 'fault'.length);
  const row = (name: string, struck: string, hit: string, work: string, what: string): string =>
    `  ${name.padEnd(width)}  ${struck.padStart(7)}  ${hit.padStart(8)}  ${work.padStart(9)}  ${what}`;
  const lines = [
    row('fault', 'struck', 'hit work', 'turns hit', ''),
    ...tallies.map(({ name, what, struck, hit, work }) => row(name, String(struck), String(hit), String(work), what)),
    '',
    `  ${ledger.verdicts.length} turns sent, ${ledger.accepted} accepted, in ${Math.round(outcome.seconds)} s, seed ${options.seed}`,
    '',
    `  ${Object.keys(ledger.counts)
      .map((kind) => kind.padStart(10))
      .join('')}`,
    `  ${Object.values(ledger.counts)
      .map((count) => String(count).padStart(10))
      .join('')}`,
    '',
    ...(outcome.inFlight.mean > 0
      ? [
          `  in flight at a kill: ${Math.round(outcome.inFlight.mean)} turns in the mean, ${outcome.inFlight.least} at least`,
        ]
      : []),
    times('begun again after a worker’s death', outcome.reclaimedMs.calm),
    times('… in outages of other parts too', outcome.reclaimedMs.all),
    times('open again after a gateway’s death', outcome.resumedMs),
    times('in mid-reply: heard again', outcome.heardAgainMs),
    times('told after it was stored', outcome.toldMs),
    times('answered', outcome.answeredMs),
  ];
  if (outcome.quarantined > 0)
    lines.push(`  ${outcome.quarantined} set aside after several deaths, answered after an operator’s retry`);
  const bad = ledger.verdicts
    .filter(({ verdict }) => verdict.kind !== 'answered' && verdict.kind !== 'refused')
    // What is only late last: the others may be few.
    .toSorted((a, b) => Number(a.verdict.kind === 'late') - Number(b.verdict.kind === 'late'));
  for (const { turn, verdict } of bad.slice(0, shownVerdicts))
    lines.push(
      `  ${verdict.kind}: ${verdict.why ?? ''}  (${turn.road}, message ${turn.messageId}, sent ${new Date(turn.sentAt).toISOString()})`,
    );
  return lines.join('\n');
}

/** Writes `chaos.json`, and where a promise was broken all that is known of it, beside the logs. */
export function writeReport(
  folder: string,
  { outcome, stage, hearings }: { outcome: Outcome; stage: Stage; hearings: ReadonlyMap<string, readonly Hearing[]> },
): void {
  mkdirSync(folder, { recursive: true });
  const { ledger, options, tallies } = outcome;
  const summary = {
    seed: options.seed,
    minutes: options.minutes,
    seconds: Math.round(outcome.seconds),
    sent: ledger.verdicts.length,
    accepted: ledger.accepted,
    ...ledger.counts,
    quarantined: outcome.quarantined,
    in_flight_at_kills: outcome.inFlight,
    reclaim_ms: percentiles(outcome.reclaimedMs.calm),
    reclaim_with_outages_ms: percentiles(outcome.reclaimedMs.all),
    resume_ms: percentiles(outcome.resumedMs),
    heard_again_ms: percentiles(outcome.heardAgainMs),
    told_ms: percentiles(outcome.toldMs),
    answer_ms: percentiles(outcome.answeredMs),
    faults: tallies.map(({ name, struck, hit, work }) => ({ name, struck, hit_work: hit, turns_hit: work })),
    broken: findFaults(outcome),
  };
  writeFileSync(join(folder, 'chaos.json'), `${JSON.stringify(summary, null, 2)}\n`);
  if (summary.broken.length === 0) return;
  const evidence = join(folder, 'chaos-evidence');
  mkdirSync(evidence, { recursive: true });
  for (const { logFile } of [...stage.gateways, ...stage.workers, stage.retrieval])
    copyFileSync(logFile, join(evidence, basename(logFile)));
  const turns = ledger.verdicts
    .filter(({ verdict }) => verdict.kind !== 'answered' && verdict.kind !== 'refused')
    .map(({ turn, verdict }) => ({ verdict, turn, hearings: hearings.get(turn.messageId ?? '') ?? [] }));
  writeFileSync(join(evidence, 'turns.json'), JSON.stringify(turns, null, 1));
}

function percentiles(values: readonly number[]) {
  return {
    count: values.length,
    p50: quantile(values, 0.5),
    p99: quantile(values, 0.99),
    longest: quantile(values, 1),
  };
}
