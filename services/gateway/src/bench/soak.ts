import { setTimeout as sleep } from 'node:timers/promises';
import type { FleetStage } from '../testing/fleet-stage.js';
import { openRoad } from '../testing/road.js';
import { type Insight, insightOptions, lookInto } from './_insight.js';
import { countKeys, type KeyCounts, total } from './_keys.js';
import { runMixedLoad } from './_mixed-load.js';
import { mebibytes, option, print, writeReport } from './_report.js';
import { withStage } from './_stage.js';

/** Whether memory, connections and Redis keys stay flat under a long mixed load with people who leave, read slowly, cancel and repeat. */
const minutes = option('minutes', 30);
const warmMinutes = option('warm-minutes', Math.min(5, Math.max(1, minutes / 4)));
const perSecond = option('rate', 15);
const allowedPercent = 5;
/** Servers offer to keep an idle connection for 65 s, and clients take that up. Milliseconds. */
const quietMs = 70_000;
/** Timers come and go within milliseconds, whatever the load. */
const passing = new Set(['Timeout', 'Immediate']);

interface Sample {
  parts: Record<string, Insight>;
  keys: KeyCounts;
  postgres: number;
}

async function sample(stage: FleetStage): Promise<Sample> {
  await sleep(quietMs);
  const { gateways, workers, retrieval, redis, database } = stage.fleet;
  const parts: Record<string, Insight> = {};
  for (const part of [...gateways, ...workers, ...(retrieval ? [retrieval] : [])])
    parts[part.name] = await lookInto(part);
  return { parts, keys: await countKeys(redis.url), postgres: await database.countConnections() };
}

interface Drift {
  what: string;
  before: number;
  after: number;
  percent: number;
  /** Counts against the allowance. */
  judged: boolean;
}

function handlesOf({ resources }: Insight): number {
  return total(Object.fromEntries(Object.entries(resources).filter(([kind]) => !passing.has(kind))));
}

function compare(before: Sample, after: Sample): Drift[] {
  const rows: Drift[] = [];
  const add = (what: string, from: number, to: number, judged: boolean): void => {
    const percent = from === 0 ? (to === 0 ? 0 : 100) : (to / from - 1) * 100;
    rows.push({ what, before: from, after: to, percent: Math.round(percent * 10) / 10, judged });
  };
  for (const [name, from] of Object.entries(before.parts)) {
    const to = after.parts[name] ?? from;
    add(`${name}: objects after garbage collection, MiB`, mebibytes(from.objects), mebibytes(to.objects), true);
    add(`${name}: the same with compiled code, MiB`, mebibytes(from.heap), mebibytes(to.heap), false);
    add(`${name}: handles`, handlesOf(from), handlesOf(to), true);
    add(`${name}: resident memory, MiB`, mebibytes(from.rss), mebibytes(to.rss), false);
  }
  add('connections to Postgres', before.postgres, after.postgres, true);
  add('Redis keys that stay longer than a day', total(before.keys.lasting), total(after.keys.lasting), true);
  add('Redis keys that end within a day', total(before.keys.ending), total(after.keys.ending), false);
  return rows;
}

function printRows(rows: Drift[]): void {
  print(`${'what'.padEnd(52)} ${'before'.padStart(9)} ${'after'.padStart(9)} ${'drift'.padStart(9)}`);
  for (const { what, before, after, percent, judged } of rows) {
    const verdict = judged && percent > allowedPercent ? '  too much' : judged ? '' : '  (not judged)';
    print(
      `${what.padEnd(52)} ${String(before).padStart(9)} ${String(after).padStart(9)} ${`${percent} %`.padStart(9)}${verdict}`,
    );
  }
}

/** The load, on a road that is gone afterwards: what asks for readiness holds connections too. */
async function load(stage: FleetStage, forMs: number): ReturnType<typeof runMixedLoad> {
  const road = openRoad(stage.fleet.gateways.map(({ url }) => url));
  try {
    return await runMixedLoad(stage, road, { perSecond, forMs });
  } finally {
    road.close();
  }
}

await withStage({ gateways: 2, workers: 2, keys: 40, env: { NODE_OPTIONS: insightOptions } }, async (stage) => {
  stage.fleet.model?.behave({ reply: 'A loaf wants its rest before it is cut [1]. '.repeat(4), tokenDelayMs: 20 });
  await load(stage, warmMinutes * 60_000);
  const before = await sample(stage);
  const { clients, errors } = await load(stage, minutes * 60_000);
  const after = await sample(stage);
  const rows = compare(before, after);
  const count = Object.values(clients).reduce((sum, one) => sum + one, 0);
  print(
    `${count} clients in ${minutes} minutes after ${warmMinutes} of the same load to warm up; errors: ${errors.length}`,
  );
  for (const error of errors.slice(0, 5)) print(`  ${error.slice(0, 160)}`);
  print('');
  printRows(rows);
  const tooMuch = rows.filter(({ judged, percent }) => judged && percent > allowedPercent);
  const verdict = tooMuch.length === 0 ? 'flat: no' : `not flat: ${tooMuch.length}`;
  print('');
  print(`${verdict} judged figures rose by more than ${allowedPercent} %`);
  const at = new Date().toISOString();
  writeReport('soak', { at, minutes, warmMinutes, perSecond, clients, errors: errors.length, rows, before, after });
  if (tooMuch.length > 0 || errors.length > 0) process.exitCode = 1;
});
