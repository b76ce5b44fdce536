import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { FleetProcess } from '@sidestage/testkit';
import { askAndWait, askLater, askOverSocket, askOverSse, type Told } from './testing/fleet-clients.js';
import { type FleetStage, question, setFleetStage } from './testing/fleet-stage.js';
import { openRoad, type Road } from './testing/road.js';

/** Some eight seconds of text: less than a worker's drain, more than a gateway waits before it asks its readers to come back. */
const reply = 'Let the loaf rest for a whole day and a night before you cut it [1]. '.repeat(8);
const everyMs = 150;
/** A turn asked so long before retrieval went may only be searched for then. Milliseconds. */
const workerMayHoldMs = 1_000;

let stage: FleetStage;
let road: Road;

beforeAll(async () => {
  stage = await setFleetStage({ gateways: 2, workers: 3, keys: 24, env: { DRAIN_MS: '25000' } });
  stage.fleet.model?.behave({ reply, tokenDelayMs: 60 });
  road = openRoad(stage.fleet.gateways.map(({ url }) => url));
}, 120_000);
afterAll(async () => {
  road?.close();
  await stage?.close();
}, 60_000);

interface Answered {
  kind: string;
  told: Told;
  /** ms, monotonic */
  askedAt: number;
}

/** Clients of every kind, one after the other, until told to stop; gives what each was told, when all have ended. */
function startLoad() {
  const kinds = { sse: askOverSse, socket: askOverSocket, wait: askAndWait, later: askLater };
  const told: Answered[] = [];
  const errors: string[] = [];
  const open = new Set<Promise<void>>();
  const count = { refused: 0 };
  let asked = 0;
  const timer = setInterval(() => {
    const [kind, ask] = Object.entries(kinds)[asked % 4] ?? ['sse', askOverSse];
    const key = stage.keys[Math.floor(asked / 4) % stage.keys.length] ?? '';
    const message = `${question} (${asked})`;
    asked += 1;
    const askedAt = performance.now();
    const onError = (error: string): void => {
      errors.push(`${kind} ${message}: ${error}`);
    };
    const one = ask({
      road,
      key,
      message,
      onError,
      onRefused: () => {
        count.refused += 1;
      },
    }).then(
      (all) => {
        told.push({ kind, told: all, askedAt });
      },
      (error: unknown) => {
        onError(String(error));
      },
    );
    open.add(one);
    void one.finally(() => open.delete(one));
  }, everyMs);
  return {
    told,
    errors,
    get refused() {
      return count.refused;
    },
    async end(): Promise<void> {
      clearInterval(timer);
      await Promise.all(open);
    },
  };
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function roll(part: FleetProcess): Promise<void> {
  const startedAt = performance.now();
  expect(await part.stop(60_000)).toBe(0);
  const stoppedMs = performance.now() - startedAt;
  await part.start();
  console.log(
    `${part.name}: drained in ${Math.round(stoppedMs)} ms, back after ${Math.round(performance.now() - startedAt)} ms`,
  );
  await pause(1_000);
}

test('rolling every process under load shows no error to clients that do as they are told, and restarts no reply', async () => {
  const { gateways, workers, retrieval } = stage.fleet;
  const load = startLoad();
  await pause(2_000);
  for (const part of [...gateways, ...workers]) await roll(part);
  const retrievalFrom = performance.now();
  if (retrieval) await roll(retrieval);
  await load.end();

  const rows = await stage.fleet.database.query<{ id: string; reply_text: string; outcome: string; epoch: number }>(
    'SELECT id, reply_text, outcome, epoch FROM turns',
  );
  const stored = new Map(rows.map((row) => [row.id, row]));
  const count = (fits: (one: Answered) => boolean) => load.told.filter(fits).length;
  console.log(
    `${load.told.length} replies; came back: ${['sse', 'socket', 'wait'].map((kind) => `${kind} ${count((one) => one.kind === kind && one.told.resumes > 0)}`).join(', ')}; ` +
      `refused and tried again: ${load.refused}; ungrounded: ${count((one) => !one.told.grounded)}; begun again: ${count((one) => one.told.resets > 0)}`,
  );
  expect(load.errors).toEqual([]);
  expect(rows.filter(({ outcome }) => outcome !== 'completed')).toEqual([]);
  expect(rows).toHaveLength(load.told.length);
  for (const { told } of load.told) expect(told.text).toBe(stored.get(told.messageId)?.reply_text);
  // What the rollout did was seen: streams, sockets and waits were sent on.
  for (const kind of ['sse', 'socket', 'wait'])
    expect(count((one) => one.kind === kind && one.told.resumes > 0)).toBeGreaterThan(0);
  expect(count((one) => one.told.resets > 0)).toBe(0);
  expect(rows.filter(({ epoch }) => epoch > 1)).toEqual([]);
  // The one retrieval service is waited for as long as a search may take; on a busy machine its start takes longer.
  expect(count((one) => !one.told.grounded && one.askedAt < retrievalFrom - workerMayHoldMs)).toBe(0);
}, 240_000);
