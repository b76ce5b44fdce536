import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { ClientEvent, Completed, ReplyEventBody, WsClientFrame, WsServerFrame } from '@sidestage/contracts';
import { waitFor } from '@sidestage/testkit';
import { type WebSocket, WebSocketServer } from 'ws';

export interface HeardRequest {
  method: string;
  path: string;
  headers: IncomingMessage['headers'];
  body: unknown;
  response: ServerResponse;
  at: number;
}

/** One socket as the gateway sees it. */
export interface HeardSocket {
  path: string;
  credential: string;
  frames: WsClientFrame[];
  raw: WebSocket;
  at: number;
  send(frame: WsServerFrame): void;
  /** Waits for the frame with this place among those of its type. */
  frame<Type extends WsClientFrame['type']>(
    type: Type,
    place?: number,
  ): Promise<Extract<WsClientFrame, { type: Type }>>;
}

/** A gateway that does what a test says, on a port of its own. */
export interface ScriptedGateway {
  url: string;
  requests: HeardRequest[];
  sockets: HeardSocket[];
  /** What a request gets; default 500. */
  onRequest: (request: HeardRequest) => void;
  /** Default: `ready` for every credential; a number refuses the upgrade with it. */
  onUpgrade: (credential: string) => number | null;
  request(place: number): Promise<HeardRequest>;
  socket(place: number): Promise<HeardSocket>;
  close(): Promise<void>;
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text === '' ? null : JSON.parse(text);
}

export async function startScriptedGateway(port = 0): Promise<ScriptedGateway> {
  const connections = new Set<Socket>();
  const upgrades = new WebSocketServer({ noServer: true, handleProtocols: () => 'sidestage' });
  const gateway: ScriptedGateway = {
    url: '',
    requests: [],
    sockets: [],
    onRequest: ({ response }) => response.writeHead(500).end(),
    onUpgrade: () => null,
    request: (place) => waitFor(() => gateway.requests[place], { everyMs: 2, what: `request ${place}` }),
    socket: (place) => waitFor(() => gateway.sockets[place], { everyMs: 2, what: `socket ${place}` }),
    async close() {
      for (const connection of connections) connection.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  const server = createServer((request, response) => {
    void readBody(request).then((body) => {
      const { method = '', url: path = '', headers } = request;
      const heard = { method, path, headers, body, response, at: performance.now() };
      gateway.requests.push(heard);
      gateway.onRequest(heard);
    });
  });
  server.on('connection', (connection) => {
    connections.add(connection);
    connection.on('close', () => connections.delete(connection));
  });
  server.on('upgrade', (request, connection, head) => {
    const credential = /bearer\.([^,\s]+)/.exec(String(request.headers['sec-websocket-protocol']))?.[1] ?? '';
    const refusal = gateway.onUpgrade(credential);
    if (refusal !== null) {
      connection.end(`HTTP/1.1 ${refusal} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
      return;
    }
    upgrades.handleUpgrade(request, connection, head, (raw) => {
      gateway.sockets.push(hear(raw, request.url ?? '', credential));
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  gateway.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return gateway;
}

function hear(raw: WebSocket, path: string, credential: string): HeardSocket {
  const frames: WsClientFrame[] = [];
  raw.on('message', (data) => frames.push(JSON.parse(String(data)) as WsClientFrame));
  raw.on('error', () => undefined);
  const socket: HeardSocket = {
    path,
    credential,
    frames,
    raw,
    at: performance.now(),
    send: (frame) => raw.send(JSON.stringify(frame)),
    frame: <Type extends WsClientFrame['type']>(type: Type, place = 0) =>
      waitFor(() => frames.filter((one) => one.type === type)[place] as Extract<WsClientFrame, { type: Type }>, {
        everyMs: 2,
        what: () => `a frame ${type}; had ${JSON.stringify(frames)}`,
      }),
  };
  socket.send({ type: 'ready', session_id: path.split('/')[2] ?? '', client_id: path.split('/')[3] ?? '' });
  return socket;
}

const place = (messageId: string) => ({ message_id: messageId, conversation_id: 'conversation' });

export function accepted(messageId: string, idempotencyKey?: string, message = 'hello'): WsServerFrame {
  return {
    type: 'accepted',
    ...place(messageId),
    creator_id: 'creator',
    message,
    ...(idempotencyKey && { idempotency_key: idempotencyKey }),
  };
}

export function event(messageId: string, seq: number, body: ReplyEventBody): ClientEvent {
  return { ...body, seq, ...place(messageId) };
}

export const started: ReplyEventBody = { type: 'started', attempt: 1, model: 'm' };
export const delta = (text: string): ReplyEventBody => ({ type: 'delta', text });

export function completed(messageId: string, text: string): Completed & { type: 'completed' } {
  return {
    type: 'completed',
    ...place(messageId),
    creator_id: 'creator',
    status: 'completed',
    reply: { text, citations: [], grounded: true },
    finish_reason: 'stop',
    model: 'm',
    cached: false,
    usage: { input_tokens: 1, output_tokens: 1 },
    timings: { queue_ms: 0, first_token_ms: 1, total_ms: 2 },
  };
}

/** An event stream as the gateway writes it; not ended. */
export function writeEvents({ response }: HeardRequest, messageId: string, events: ClientEvent[], retryMs = 0): void {
  if (!response.headersSent)
    response.writeHead(200, { 'Content-Type': 'text/event-stream', Location: `/api/v1/messages/${messageId}` });
  response.write(`retry: ${retryMs}\n\n`);
  for (const each of events) response.write(`event: ${each.type}\nid: ${each.seq}\ndata: ${JSON.stringify(each)}\n\n`);
}

export function sendProblem(
  { response }: HeardRequest,
  status: number,
  code: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'Content-Type': 'application/problem+json', ...headers });
  response.end(JSON.stringify({ type: 'about:blank', title: code, status, code }));
}

export function sendJson({ response }: HeardRequest, status: number, body: object): void {
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(body));
}
