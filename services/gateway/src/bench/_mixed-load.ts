import { setTimeout as sleep } from 'node:timers/promises';
import { readSse } from '@sidestage/testkit';
import { WebSocket } from 'ws';
import { askAndWait, askLater, askOverSocket, askOverSse, type ClientOptions } from '../testing/fleet-clients.js';
import { type FleetStage, question } from '../testing/fleet-stage.js';
import type { Road } from '../testing/road.js';

type Ask = (options: ClientOptions) => Promise<unknown>;

function begin(options: ClientOptions, headers: Record<string, string>, signal?: AbortSignal): Promise<Response> {
  return fetch(`${options.road.pick()}/api/v1/chat`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${options.key}`, 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify({ creator_id: 'ada', message: options.message }),
    signal: signal ?? null,
  });
}

/** Reads some events of a stream and leaves. */
async function leave(options: ClientOptions): Promise<{ location: string; seq: number }> {
  const response = await begin(options, { Accept: 'text/event-stream' });
  let seq = 0;
  for await (const { id } of readSse(response)) {
    seq = Number(id);
    if (seq >= 4) break;
  }
  return { location: response.headers.get('location') ?? '', seq };
}

async function leaveAndResume(options: ClientOptions): Promise<void> {
  const { location, seq } = await leave(options);
  const headers = { Authorization: `Bearer ${options.key}`, 'Last-Event-ID': String(seq) };
  const response = await fetch(`${options.road.pick()}${location}/events`, { headers });
  if (response.status === 204) return;
  for await (const { event } of readSse(response)) if (event === 'failed') options.onError('a resumed reply failed');
}

async function leaveAndCancel(options: ClientOptions): Promise<void> {
  const { location } = await leave(options);
  const headers = { Authorization: `Bearer ${options.key}` };
  const response = await fetch(`${options.road.pick()}${location}`, { method: 'DELETE', headers });
  if (!response.ok) options.onError(`a cancel was answered with ${response.status}`);
  await response.body?.cancel();
}

async function readSlowly(options: ClientOptions): Promise<void> {
  const response = await begin(options, { Accept: 'text/event-stream' });
  for await (const { event } of readSse(response)) if (event !== 'completed') await sleep(150);
}

/** Says the same twice under one key: the second gets the stored answer. */
async function repeat(options: ClientOptions): Promise<void> {
  const headers = { 'Idempotency-Key': crypto.randomUUID() };
  for (let time = 0; time < 2; time++) {
    const response = await begin(options, headers);
    if (!response.ok) options.onError(`a repeat was answered with ${response.status}`);
    await response.body?.cancel();
  }
}

/** Is gone before the answer. */
async function hangUp(options: ClientOptions): Promise<void> {
  await begin(options, {}, AbortSignal.timeout(300)).catch(() => undefined);
}

/** Drops a socket in the middle of a reply, without a word. */
function dropSocket(options: ClientOptions): Promise<void> {
  return new Promise((resolve) => {
    const address = `${options.road.pick().replace('http', 'ws')}/ws/new/phone`;
    const socket = new WebSocket(address, ['sidestage', `bearer.${options.key}`]);
    socket.on('open', () =>
      socket.send(JSON.stringify({ type: 'message', message: options.message, creator_id: 'ada' })),
    );
    socket.on('message', (data) => {
      if (String(data).includes('"delta"')) socket.terminate();
    });
    socket.on('error', (error) => options.onError(`a socket: ${error.message}`));
    socket.on('close', () => resolve());
  });
}

const kinds: Record<string, Ask> = {
  stream: askOverSse,
  socket: askOverSocket,
  wait: askAndWait,
  later: askLater,
  'leave and resume': leaveAndResume,
  'leave and cancel': leaveAndCancel,
  'read slowly': readSlowly,
  repeat,
  'hang up': hangUp,
  'drop a socket': dropSocket,
};

/** Clients of all kinds, `perSecond`, for `forMs`; resolves when the last has ended. Gives how many of each there were, and what went wrong. */
export async function runMixedLoad(
  stage: FleetStage,
  road: Road,
  options: { perSecond: number; forMs: number },
): Promise<{ clients: Record<string, number>; errors: string[] }> {
  const clients: Record<string, number> = {};
  const errors: string[] = [];
  const open = new Set<Promise<unknown>>();
  const names = Object.keys(kinds);
  const until = performance.now() + options.forMs;
  for (let index = 0; performance.now() < until; index++) {
    const name = names[index % names.length] ?? 'stream';
    const key = stage.keys[index % stage.keys.length] ?? '';
    const onError = (error: string): void => {
      errors.push(`${name}: ${error}`);
    };
    const one = kinds[name]?.({ road, key, message: `${question} ${index % 500}`, onError }).catch((error: unknown) =>
      onError(String(error)),
    );
    clients[name] = (clients[name] ?? 0) + 1;
    if (one) open.add(one);
    void one?.finally(() => open.delete(one));
    await sleep(1_000 / options.perSecond);
  }
  await Promise.all(open);
  return { clients, errors };
}
