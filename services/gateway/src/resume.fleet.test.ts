import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { waitFor } from '@sidestage/testkit';
import { askOverSocket, askOverSse, type Told } from './testing/fleet-clients.js';
import { type FleetStage, setFleetStage } from './testing/fleet-stage.js';
import { openRoad, type Road } from './testing/road.js';

/** The campaign of chaos/ does the same with 500. */
const streams = 200;
/** On a busy machine a model call or two is being tried again at any moment. */
const mostlySpoken = 0.9;
/** A minute and a half of text, so that nearly all are in the middle of it when the gateway dies, however slow the machine. */
const reply = 'The loaf rests for a whole day before anyone may cut it, and nobody is in a hurry. '.repeat(16);

let stage: FleetStage;
let roads: Road[] = [];

beforeAll(async () => {
  stage = await setFleetStage({
    gateways: 2,
    workers: 2,
    retrieval: false,
    keys: 50,
    // A busy machine is no fault here: nothing is given up for being slow.
    env: {
      WORKER_CONCURRENCY: '400',
      RETRIEVAL_URL: 'http://127.0.0.1:9',
      RETRIEVAL_TIMEOUT_MS: '200',
      MODEL_FIRST_TOKEN_MS: '120000',
      MODEL_GAP_MS: '120000',
      MODEL_TOTAL_MS: '600000',
      BREAKER_TIMEOUT_MS: '120000',
      TURN_DEADLINE_MS: '600000',
    },
  });
  stage.fleet.model?.behave({ reply, wordsPerChunk: 3, tokenDelayMs: 1_000 });
}, 120_000);
afterAll(async () => {
  for (const road of roads) road.close();
  await stage?.close();
}, 60_000);

function percentile(values: number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
}

test('a gateway killed with 200 open streams: the other one resumes each, byte for byte', async () => {
  const [victim, other] = stage.fleet.gateways;
  if (!victim || !other) throw new Error('there are two gateways');
  const first = openRoad([victim.url]);
  const second = openRoad([other.url]);
  roads = [first, second];
  let killedAt = Number.POSITIVE_INFINITY;
  const road: Road = {
    pick: () => (killedAt < Number.POSITIVE_INFINITY ? second : first).pick(),
    close: () => undefined,
  };
  const errors: string[] = [];
  const heardBefore = new Set<number>();
  const backAfterMs = new Map<number, number>();
  const all = Promise.all(
    Array.from({ length: streams }, async (_, index): Promise<Told> => {
      await new Promise((resolve) => setTimeout(resolve, index * 8));
      const ask = index % 2 === 0 ? askOverSse : askOverSocket;
      return ask({
        road,
        key: stage.keys[index % stage.keys.length] ?? '',
        message: `question ${index}`,
        mayBeCut: true,
        onError: (error) => {
          errors.push(`${index}: ${error}`);
        },
        onEvent: () => {
          if (performance.now() < killedAt) heardBefore.add(index);
          else if (!backAfterMs.has(index)) backAfterMs.set(index, performance.now() - killedAt);
        },
      });
    }),
  );
  await waitFor(() => heardBefore.size === streams && (stage.fleet.model?.openStreams ?? 0) > streams * mostlySpoken, {
    timeoutMs: 60_000,
    what: () => `all to be answered: ${heardBefore.size} heard, ${stage.fleet.model?.openStreams} spoken`,
  });
  await victim.kill();
  killedAt = performance.now();
  await waitFor(() => backAfterMs.size === streams, {
    timeoutMs: 60_000,
    what: () => `all to be back: ${backAfterMs.size}`,
  });
  stage.fleet.model?.hurry();
  const told = await all;

  const times = [...backAfterMs.values()];
  console.log(
    `${times.length} streams back after ms: p50 ${percentile(times, 0.5)}, p90 ${percentile(times, 0.9)}, p99 ${percentile(times, 0.99)}, last ${Math.round(Math.max(...times))}`,
  );
  expect(errors).toEqual([]);
  const rows = await stage.fleet.database.query<{ id: string; reply_text: string }>('SELECT id, reply_text FROM turns');
  const stored = new Map(rows.map(({ id, reply_text }) => [id, reply_text]));
  expect(stored.size).toBe(streams);
  for (const { messageId, text, resumes } of told) {
    expect(text).toBe(stored.get(messageId));
    expect(resumes).toBeGreaterThan(0);
  }
}, 240_000);
