import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { closeRedis, makeLogger, makeRedis } from '@sidestage/runtime';
import { waitFor } from '@sidestage/testkit';
import { makeReplyWriter, type ReplyWriter } from '@sidestage/turns';
import { askOverSse } from '../testing/fleet-clients.js';
import type { FleetStage } from '../testing/fleet-stage.js';
import { mebibytes, option, print, quantile, writeReport } from './_report.js';
import { withStage } from './_stage.js';
import { type StalledReader, stall } from './_stalled.js';

/** What 500 readers that read nothing cost a gateway, and the users beside them: with and without, in turns. */
const readers = option('readers', 500);
const rounds = option('rounds', 5);
const phaseMs = option('seconds', 12) * 1_000;
const settleMs = 3_000;
/** Ten come, then this pause: a storm of connections is another matter. */
const arriveMs = 100;
const perSecond = 8;
const allowed = { mebibytes: 100, percent: 20 };

interface Phase {
  stalled: boolean;
  rss: number[];
  firstTextMs: number[];
  wholeMs: number[];
}

/** A turn whose reply is written from here, as long as wanted, to readers who do not read it. */
async function beginFlood(stage: FleetStage, writer: ReplyWriter) {
  const { fleet, keys } = stage;
  // Its own words come slowly, and on and on.
  fleet.model?.next({ reply: 'and '.repeat(500), tokenDelayMs: 20_000 });
  const response = await fetch(`${fleet.gateways[0]?.url}/api/v1/chat`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${keys[0]}`, 'Content-Type': 'application/json', Prefer: 'respond-async' },
    body: JSON.stringify({ creator_id: 'ada', message: 'the long one' }),
  });
  const { message_id: messageId } = (await response.json()) as { message_id: string };
  await waitFor(() => fleet.model?.openStreams === 1, { what: 'the long reply to begin' });
  const [row] = await fleet.database.query<{ generation_id: string; epoch: number }>(
    'SELECT generation_id, epoch FROM turns WHERE id = $1',
    [messageId],
  );
  if (!row) throw new Error('the long turn is gone');
  const text = 'x'.repeat(6_000);
  const say = () => writer.append(row.generation_id, row.epoch, [{ type: 'delta', text }]);
  for (let part = 0; part < 1_000; part++)
    if (!(await say()).accepted) throw new Error('the long reply was not written');
  return { messageId, say };
}

function rssOf(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
}

/** What the gateway holds for the readers: seen from outside, so that the bench cannot measure an empty room. */
async function heldBy(stage: FleetStage): Promise<string> {
  const { port = 0 } = stage.fleet.gateways[0] ?? {};
  const lines = readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1);
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const open = lines
    .map((line) => line.trim().split(/\s+/))
    .filter(([, from, , state]) => from?.endsWith(local) && state === '01');
  const unsent = open.reduce((bytes, [, , , , queues]) => bytes + Number.parseInt(queues?.split(':')[0] ?? '0', 16), 0);
  return `${open.length} connections, ${mebibytes(unsent)} MiB unsent in the kernel`;
}

async function measure(stage: FleetStage, stalled: boolean, say: () => Promise<unknown>): Promise<Phase> {
  const phase: Phase = { stalled, rss: [], firstTextMs: [], wholeMs: [] };
  const gateway = stage.fleet.gateways[0];
  const road = { pick: () => gateway?.url ?? '', close: () => undefined };
  const open = new Set<Promise<void>>();
  const ask = async (): Promise<void> => {
    const startedAt = performance.now();
    let heard = 0;
    const onEvent = () => {
      heard += 1;
      // queued, started, the first text
      if (heard === 3) phase.firstTextMs.push(performance.now() - startedAt);
    };
    const onError = (error: string) => print(`a user met: ${error.slice(0, 120)}`);
    const key = stage.keys[Math.floor(Math.random() * stage.keys.length)] ?? '';
    await askOverSse({ road, key, message: `hello ${Math.random()}`, onEvent, onError });
    phase.wholeMs.push(performance.now() - startedAt);
  };
  const timers = [
    setInterval(() => {
      const one = ask();
      open.add(one);
      void one.finally(() => open.delete(one));
    }, 1_000 / perSecond),
    setInterval(() => phase.rss.push(rssOf(gateway?.pid ?? 0)), 200),
    setInterval(() => void say(), 200),
  ];
  await sleep(phaseMs);
  for (const timer of timers) clearInterval(timer);
  await Promise.all(open);
  return phase;
}

async function run(stage: FleetStage): Promise<Phase[]> {
  const redis = makeRedis(stage.fleet.redis.url, 'request', makeLogger({ service: 'bench', level: 'FATAL' }));
  await waitFor(() => redis.status === 'ready');
  const { messageId, say } = await beginFlood(stage, makeReplyWriter({ redis }));
  stage.fleet.model?.behave({ reply: 'A loaf wants its rest before it is cut. '.repeat(4), tokenDelayMs: 15 });
  const url = stage.fleet.gateways[0]?.url ?? '';
  const phases: Phase[] = [];
  await measure(stage, false, say);
  for (let round = 0; round < rounds; round++) {
    for (const stalled of round % 2 === 0 ? [false, true] : [true, false]) {
      const crowd: StalledReader[] = [];
      for (let index = 0; stalled && index < readers; index++) {
        const key = stage.keys[index % stage.keys.length] ?? '';
        crowd.push(stall({ url, key, messageId }, index % 2 === 0 ? 'sse' : 'socket'));
        if (index % 10 === 9) await sleep(arriveMs);
      }
      await sleep(settleMs);
      if (stalled) print(`round ${round + 1}: ${await heldBy(stage)}`);
      phases.push(await measure(stage, stalled, say));
      for (const reader of crowd) reader.close();
    }
  }
  await closeRedis(redis);
  return phases;
}

function summarise(phases: Phase[]) {
  return [false, true].map((stalled) => {
    const own = phases.filter((phase) => phase.stalled === stalled);
    const all = (of: (phase: Phase) => number[]) => own.flatMap(of);
    return {
      stalledReaders: stalled ? readers : 0,
      users: all(({ wholeMs }) => wholeMs).length,
      firstTextP50Ms: Math.round(
        quantile(
          all(({ firstTextMs }) => firstTextMs),
          0.5,
        ),
      ),
      firstTextP99Ms: Math.round(
        quantile(
          all(({ firstTextMs }) => firstTextMs),
          0.99,
        ),
      ),
      wholeP50Ms: Math.round(
        quantile(
          all(({ wholeMs }) => wholeMs),
          0.5,
        ),
      ),
      wholeP99Ms: Math.round(
        quantile(
          all(({ wholeMs }) => wholeMs),
          0.99,
        ),
      ),
      rssMedianMiB: mebibytes(
        quantile(
          all(({ rss }) => rss),
          0.5,
        ),
      ),
      rssMostMiB: mebibytes(
        quantile(
          all(({ rss }) => rss),
          1,
        ),
      ),
    };
  });
}

await withStage(
  {
    gateways: 1,
    workers: 1,
    retrieval: false,
    keys: 60,
    env: { RETRIEVAL_TIMEOUT_MS: '100', MODEL_GAP_MS: '60000', MODEL_TOTAL_MS: '600000', TURN_DEADLINE_MS: '3600000' },
  },
  async (stage) => {
    const phases = await run(stage);
    const rows = summarise(phases);
    print('stalled   users   first text p50   p99   whole reply p50     p99   gateway RSS median    most');
    for (const row of rows)
      print(
        `${String(row.stalledReaders).padStart(7)} ${String(row.users).padStart(7)} ${String(row.firstTextP50Ms).padStart(13)} ms ${String(row.firstTextP99Ms).padStart(5)} ${String(row.wholeP50Ms).padStart(14)} ms ${String(row.wholeP99Ms).padStart(7)} ${String(row.rssMedianMiB).padStart(15)} MiB ${String(row.rssMostMiB).padStart(7)}`,
      );
    const [without, beside] = rows;
    // A process gives little of its memory back: what the first phase had is what it was without them.
    const before = mebibytes(quantile(phases[0]?.rss ?? [], 0.5));
    const grownMiB = Math.round(((beside?.rssMostMiB ?? 0) - before) * 10) / 10;
    const slower = ((beside?.wholeP99Ms ?? 0) / Math.max(1, without?.wholeP99Ms ?? 1) - 1) * 100;
    print('');
    print(
      `${readers} stalled readers: ${grownMiB} MiB at most (${allowed.mebibytes} allowed), others' p99 ${slower.toFixed(1)} % (${allowed.percent} % allowed)`,
    );
    writeReport('stalled-readers', {
      at: new Date().toISOString(),
      readers,
      rounds,
      rows,
      grownMiB,
      slowerPercent: slower,
      allowed,
    });
    if (grownMiB > allowed.mebibytes || slower > allowed.percent) process.exitCode = 1;
  },
);
