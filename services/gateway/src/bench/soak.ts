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
/** Clients let go of idle connections, pools of theirs, jobs of their locks. Milliseconds. */
const quietMs = 15_000;

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

function compare(before: Sample, after: Sample): Drift[] {
  const rows: Drift[] = [];
  const add = (what: string, from: number, to: number, judged: boolean): void => {
    const percent = from === 0 ? (to === 0 ? 0 : 100) : (to / from - 1) * 100;
    rows.push({ what, before: from, after: to, percent: Math.round(percent * 10) / 10, judged });
  };
  for (const [name, from] of Object.entries(before.parts)) {
    const to = after.parts[name] ?? from;
    add(`${name}: heap after garbage collection, MiB`, mebibytes(from.heap), mebibytes(to.heap), true);
    add(`${name}: handles`, total(from.resources), total(to.resources), true);
    add(`${name}: resident memory, MiB`, mebibytes(from.rss), mebibytes(to.rss), false);
  }
  add('connections to Postgres', before.postgres, after.postgres, true);
  add('Redis keys without an end', total(before.keys.withoutEnd), total(after.keys.withoutEnd), true);
  add('Redis keys with an end', total(before.keys.withEnd), total(after.keys.withEnd), false);
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

await withStage({ gateways: 2, workers: 2, keys: 40, env: { NODE_OPTIONS: insightOptions } }, async (stage) => {
  stage.fleet.model?.behave({ reply: 'A loaf wants its rest before it is cut [1]. '.repeat(4), tokenDelayMs: 20 });
  const road = openRoad(stage.fleet.gateways.map(({ url }) => url));
  try {
    await runMixedLoad(stage, road, { perSecond, forMs: warmMinutes * 60_000 });
    const before = await sample(stage);
    const { clients, errors } = await runMixedLoad(stage, road, { perSecond, forMs: minutes * 60_000 });
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
    print('');
    print(
      tooMuch.length === 0
        ? `flat: no judged figure rose by more than ${allowedPercent} %`
        : `not flat: ${tooMuch.length} figures rose by more than ${allowedPercent} %`,
    );
    writeReport('soak', {
      at: new Date().toISOString(),
      minutes,
      warmMinutes,
      perSecond,
      clients,
      errors: errors.length,
      rows,
      before,
      after,
    });
    if (tooMuch.length > 0 || errors.length > 0) process.exitCode = 1;
  } finally {
    road.close();
  }
});
