import { setTimeout as sleep } from 'node:timers/promises';
import { readSse } from '@sidestage/testkit';
import { WebSocket } from 'ws';
import { z } from 'zod';
import type { Road } from './road.js';

/** What a client has of one turn when it has all of it. */
export interface Told {
  messageId: string;
  text: string;
  grounded: boolean;
  /** How often it was told to drop the text so far. */
  resets: number;
  /** How often it came back for the rest. */
  resumes: number;
}

export interface ClientOptions {
  road: Road;
  key: string;
  message: string;
  /** Something that a client which does as it is told must never meet. */
  onError(error: string): void;
  /** An honest 503. */
  onRefused?(): void;
  /** Told of each numbered event. */
  onEvent?(messageId: string): void;
  /** A cut or refused connection is no error: a gateway is killed. The client comes back with full jitter over a second. */
  mayBeCut?: boolean;
}

const event = z.looseObject({
  type: z.string(),
  seq: z.number().optional(),
  message_id: z.string().optional(),
  conversation_id: z.string().optional(),
  text: z.string().optional(),
  reply: z.object({ text: z.string(), grounded: z.boolean() }).optional(),
});
const view = z.looseObject({
  message_id: z.string(),
  status: z.string(),
  reply: z.object({ text: z.string(), grounded: z.boolean() }).optional(),
});
const tries = 60;

/** The text of a reply as its events tell it. */
export class Transcript {
  text = '';
  seq = 0;
  resets = 0;
  resumes = 0;
  grounded = false;
  messageId = '';
  conversationId = '';
  ended: string | null = null;

  /** Takes an event; `problem` gets what must not be. */
  take(input: unknown, problem: (what: string) => void): void {
    const { type, seq, ...rest } = event.parse(input);
    if (seq === undefined) return;
    // A socket may tell a running turn from its beginning before it hears what is resumed: clients compare with `>`.
    if (seq !== 0 && seq <= this.seq) return;
    if (seq > this.seq + 1 && type !== 'reset') problem(`a gap: seq ${seq} after ${this.seq}`);
    this.seq = Math.max(seq, this.seq);
    this.messageId = rest.message_id ?? this.messageId;
    this.conversationId = rest.conversation_id ?? this.conversationId;
    if (type === 'delta') this.text += rest.text ?? '';
    if (type === 'reset') {
      this.text = '';
      this.resets += 1;
    }
    if (type === 'completed' || type === 'failed' || type === 'cancelled') this.ended = type;
    this.grounded = rest.reply?.grounded ?? this.grounded;
    if (rest.reply && rest.reply.text !== this.text) problem('the deltas are not the reply');
  }

  told(problem: (what: string) => void): Told {
    if (this.ended !== 'completed') problem(`ended as ${this.ended}`);
    const { messageId, text, grounded, resets, resumes } = this;
    return { messageId, text, grounded, resets, resumes };
  }
}

/** Sends a request until it is answered with something other than an honest 503. */
async function send(options: ClientOptions, path: string, init: RequestInit): Promise<Response> {
  for (let attempt = 0; attempt < tries; attempt++) {
    const address = `${options.road.pick()}${path}`;
    const headers = { Authorization: `Bearer ${options.key}`, ...init.headers };
    try {
      const response = await fetch(address, { ...init, headers });
      if (response.status < 500) return response;
      const retryAfter = response.headers.get('retry-after');
      const text = await response.text();
      if (response.status === 503 && retryAfter !== null) options.onRefused?.();
      else options.onError(`${init.method ?? 'GET'} ${path}: ${response.status} ${text.slice(0, 200)}`);
      await sleep(Math.min(500, Number(retryAfter ?? 1) * 1_000));
    } catch (error) {
      await cut(options, `${init.method ?? 'GET'} ${address}: ${reasonOf(error)}`);
    }
  }
  throw new Error(`${path} was never answered`);
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  return cause instanceof Error ? `${error.message}: ${cause.message}` : error.message;
}

/** A connection that ended without a word: waits before the next try. */
async function cut(options: ClientOptions, what: string): Promise<void> {
  if (!options.mayBeCut) options.onError(what);
  await sleep(options.mayBeCut ? Math.random() * 1_000 : 200);
}

function post(options: ClientOptions, headers: Record<string, string>): Promise<Response> {
  const body = JSON.stringify({ creator_id: 'ada', message: options.message });
  const own = { 'Content-Type': 'application/json', 'Idempotency-Key': crypto.randomUUID(), ...headers };
  return send(options, '/api/v1/chat', { method: 'POST', headers: own, body });
}

/** Reads a stream to its end; a stream that is cut is an error. */
async function readAll(options: ClientOptions, response: Response, transcript: Transcript): Promise<void> {
  try {
    for await (const { data } of readSse(response)) {
      transcript.take(data, options.onError);
      options.onEvent?.(transcript.messageId);
    }
  } catch (error) {
    await cut(options, `a stream was cut: ${reasonOf(error)}`);
  }
}

/** Asks over SSE; a stream that ends before the reply does is resumed. */
export async function askOverSse(options: ClientOptions): Promise<Told> {
  const transcript = new Transcript();
  let response = await post(options, { Accept: 'text/event-stream' });
  const location = response.headers.get('location') ?? '';
  await readAll(options, response, transcript);
  while (transcript.ended === null && transcript.resumes < tries) {
    transcript.resumes += 1;
    if (!options.mayBeCut) await sleep(100);
    response = await send(options, `${location}/events`, { headers: { 'Last-Event-ID': String(transcript.seq) } });
    await readAll(options, response, transcript);
  }
  return transcript.told(options.onError);
}

/** Opens a socket and gives its frames to `onFrame`; resolves with its close code, null where the upgrade was refused honestly. */
function openSocket(
  options: ClientOptions,
  path: string,
  begin: (socket: WebSocket) => void,
  onFrame: (socket: WebSocket, data: unknown) => void,
): Promise<number | null> {
  return new Promise((resolve) => {
    const address = `${options.road.pick().replace('http', 'ws')}${path}`;
    const socket = new WebSocket(address, ['sidestage', `bearer.${options.key}`]);
    let refused = false;
    socket.on('open', () => begin(socket));
    socket.on('message', (data) => onFrame(socket, JSON.parse(String(data))));
    socket.on('unexpected-response', (_request, response) => {
      refused = response.statusCode === 503 && response.headers['retry-after'] !== undefined;
      if (refused) options.onRefused?.();
      else options.onError(`the upgrade was answered with ${response.statusCode}`);
      socket.terminate();
    });
    socket.on('error', (error) => {
      if (!refused && !options.mayBeCut) options.onError(`a socket to ${address}: ${error.message}`);
    });
    socket.on('close', (code) => resolve(refused ? null : code));
  });
}

/** Asks over a WebSocket; one that is closed because the gateway restarts is opened again and resumes. */
export async function askOverSocket(options: ClientOptions): Promise<Told> {
  const transcript = new Transcript();
  const idempotencyKey = crypto.randomUUID();
  let accepted = '';
  for (let attempt = 0; transcript.ended === null && attempt < tries; attempt++) {
    const begin = (socket: WebSocket) => {
      if (accepted !== '') transcript.resumes += 1;
      const ask = { type: 'message', message: options.message, creator_id: 'ada', idempotency_key: idempotencyKey };
      const resume = { type: 'resume', message_id: accepted, last_seq: transcript.seq };
      socket.send(JSON.stringify(accepted === '' ? ask : resume));
    };
    const code = await openSocket(options, `/ws/${transcript.conversationId || 'new'}/phone`, begin, (socket, data) => {
      const { type, message_id: messageId = '' } = event.parse(data);
      if (type === 'accepted') accepted = messageId;
      else if (type === 'error') options.onError(`an error on a socket: ${JSON.stringify(data).slice(0, 200)}`);
      else transcript.take(data, options.onError);
      if (type !== 'accepted') options.onEvent?.(transcript.messageId);
      if (transcript.ended !== null) socket.close(1000);
    });
    if (transcript.ended !== null) break;
    if (code !== null && code !== 1012) await cut(options, `a socket was closed with ${code}`);
    else await sleep(code === null ? 200 : 20);
  }
  return transcript.told(options.onError);
}

/** Reads a turn until it has ended. */
async function poll(options: ClientOptions, location: string): Promise<Told> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const answer = view.parse(await (await send(options, location, {})).json());
    if (answer.reply) return { messageId: answer.message_id, ...answer.reply, resets: 0, resumes: 0 };
    if (answer.status !== 'queued' && answer.status !== 'running') break;
    await sleep(1_000);
  }
  options.onError(`${location} has no reply`);
  return { messageId: location, text: '', grounded: false, resets: 0, resumes: 0 };
}

/** Asks and waits for the reply; a 202 is read at its Location. */
export async function askAndWait(options: ClientOptions): Promise<Told> {
  const response = await post(options, {});
  if (response.status === 202) {
    await response.body?.cancel();
    return { ...(await poll(options, response.headers.get('location') ?? '')), resumes: 1 };
  }
  if (response.status !== 200) options.onError(`a wait was answered with ${response.status}`);
  const { message_id, reply } = view.parse(await response.json());
  return { messageId: message_id, text: reply?.text ?? '', grounded: reply?.grounded ?? false, resets: 0, resumes: 0 };
}

/** Asks without waiting and reads the reply later. */
export async function askLater(options: ClientOptions): Promise<Told> {
  const response = await post(options, { Prefer: 'respond-async' });
  if (response.status !== 202) options.onError(`respond-async was answered with ${response.status}`);
  await response.body?.cancel();
  return poll(options, response.headers.get('location') ?? '');
}
