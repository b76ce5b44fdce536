import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  behaviourSchema,
  controlSchema,
  type ModelBehaviour,
  type ModelServer,
  type RecordedRequest,
} from './behaviour.js';
import { goneSignal, pause } from './stream-script.js';

/** One request for the API's own handler. */
export interface ModelCall {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: Record<string, string>;
  body: unknown;
  response: ServerResponse;
  /** What this request gets; asked for by chat routes only, so that embeddings use nothing up. */
  takeBehaviour: () => ModelBehaviour;
  /** Aborts when this reply shall go on without pauses. */
  hurried: AbortSignal;
}

export interface ModelServerOptions {
  /** Default a free port. */
  port?: number;
  /** Default 127.0.0.1. */
  host?: string;
}

/** A server that runs for hours forgets its oldest requests. */
const mostRequestsKept = 10_000;

/**
 * The shell both model servers share: reads and records requests, hands out behaviours, and has the control routes
 * `POST /control/behaviour`, `POST /control/hurry`, `GET /control/requests` and `DELETE /control/requests` for those who run it as a process.
 */
export async function startModelServer(
  options: ModelServerOptions,
  basePath: string,
  handle: (call: ModelCall) => Promise<void>,
): Promise<ModelServer> {
  const requests: RecordedRequest[] = [];
  const queue: ModelBehaviour[] = [];
  let standard: ModelBehaviour = {};
  let openStreams = 0;
  let haste = new AbortController();

  function hurry(): void {
    haste.abort();
    haste = new AbortController();
  }

  async function control(method: string, path: string, body: unknown, response: ServerResponse): Promise<void> {
    if (path === '/control/requests' && method === 'GET') return sendJson(response, 200, { requests });
    if (path === '/control/requests' && method === 'DELETE') {
      requests.length = 0;
      return sendJson(response, 200, {});
    }
    if (path === '/control/hurry' && method === 'POST') {
      hurry();
      return sendJson(response, 200, {});
    }
    const wanted = controlSchema.safeParse(body);
    if (path !== '/control/behaviour' || method !== 'POST')
      return sendJson(response, 404, { error: 'no such control' });
    if (!wanted.success) return sendJson(response, 422, { error: wanted.error.message });
    standard = wanted.data.default ?? standard;
    queue.push(...(wanted.data.next ?? []));
    sendJson(response, 200, {});
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const address = new URL(request.url ?? '/', 'http://localhost');
    const text = await readText(request);
    const body = parseJson(text);
    const method = request.method ?? 'GET';
    if (address.pathname.startsWith('/control/')) return control(method, address.pathname, body, response);
    const recorded = { path: address.pathname, headers: flatHeaders(request), body, abandoned: false };
    requests.push(recorded);
    if (requests.length > mostRequestsKept) requests.splice(0, requests.length - mostRequestsKept);
    openStreams += 1;
    response.once('close', () => {
      openStreams -= 1;
      recorded.abandoned = !response.writableFinished;
    });
    const takeBehaviour = () => queue.shift() ?? standard;
    const { path, headers } = recorded;
    const { signal: hurried } = haste;
    await handle({ method, path, query: address.searchParams, headers, body, response, takeBehaviour, hurried });
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else sendJson(response, 500, { error: { message: String(error) } });
    });
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, options.host ?? '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}${basePath}`,
    port,
    requests,
    get openStreams() {
      return openStreams;
    },
    behave: (behaviour) => {
      standard = behaviourSchema.parse(behaviour);
    },
    next: (...behaviours) => {
      queue.push(...behaviours.map((behaviour) => behaviourSchema.parse(behaviour)));
    },
    hurry,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Waits as `delayHeadersMs` says and hangs as `hang` says; false when there is nothing more to answer. */
export async function beforeHeaders(response: ServerResponse, behaviour: ModelBehaviour): Promise<boolean> {
  const gone = goneSignal(response);
  return !behaviour.hang && (await pause(behaviour.delayHeadersMs, gone));
}

export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json; charset=UTF-8', ...headers });
  response.end(text);
}

async function readText(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(Buffer.from(part));
  return Buffer.concat(parts).toString('utf8');
}

function parseJson(text: string): unknown {
  try {
    return text === '' ? null : JSON.parse(text);
  } catch {
    return text;
  }
}

function flatHeaders(request: IncomingMessage): Record<string, string> {
  return Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
}
