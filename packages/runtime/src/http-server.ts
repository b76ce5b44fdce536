import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { ProblemError } from '@sidestage/contracts';
import { makeId } from './ids.js';

interface UnderWay {
  responses: Set<ServerResponse>;
  leaving: boolean;
}
const traffic = new WeakMap<Server, UnderWay>();

/** This answer is its connection's last: it says so where its head is not written yet. */
function closeAfter(response: ServerResponse): void {
  response.shouldKeepAlive = false;
  // Once finished it has let go of its connection.
  const { socket } = response;
  if (response.headersSent) response.once('finish', () => socket?.end());
}

/**
 * From now on each answer, also those under way, is its connection's last and says `Connection: close`. Connections that are in use are so
 * given up by the client, which knows when: one that the server closes may be closed just when a request is on its way.
 */
export function endKeepAlive(server: Server): void {
  const underWay = traffic.get(server);
  if (!underWay) return;
  underWay.leaving = true;
  for (const response of underWay.responses) closeAfter(response);
}

/** An HTTP server with limits: headers 10 s, a request's bytes 30 s, compact header budget. */
export function makeHttpServer(handler: (request: IncomingMessage, response: ServerResponse) => void): Server {
  const server = createServer({ headersTimeout: 10_000, requestTimeout: 30_000, maxHeaderSize: 16 * 1024 }, handler);
  server.keepAliveTimeout = 65_000;
  const answering = new WeakSet<Duplex>();
  const underWay: UnderWay = { responses: new Set(), leaving: false };
  traffic.set(server, underWay);
  server.prependListener('request', ({ socket }, response) => {
    answering.add(socket);
    underWay.responses.add(response);
    if (underWay.leaving) closeAfter(response);
    response.once('close', () => {
      answering.delete(socket);
      underWay.responses.delete(response);
    });
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (!socket.writable || answering.has(socket) || error.code === 'ECONNRESET') socket.destroy();
    else socket.end(refusalOf(error));
  });
  return server;
}

/** What is no HTTP never becomes a request: its problem is written by hand. */
function refusalOf(error: NodeJS.ErrnoException): string {
  const isHeader = error.code === 'HPE_HEADER_OVERFLOW';
  const isSlow = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
  const detail = isHeader
    ? 'The headers are larger than 16 KiB.'
    : isSlow
      ? 'The request was not complete in time.'
      : 'This is no valid HTTP request.';
  const problem = new ProblemError(isHeader ? 'too_large' : 'bad_request', { detail });
  const requestId = makeId();
  const body = JSON.stringify(problem.toProblem(requestId));
  return [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`,
    'Connection: close',
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Cache-Control: no-store',
    `X-Request-ID: ${requestId}`,
    '',
    body,
  ].join('\r\n');
}

/** Starts to listen; a port in use is said with the variable that changes it. Resolves with the port. */
export function listen(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const reason =
        error.code === 'EADDRINUSE'
          ? `port ${port} on ${host} is in use: set PORT to another, or stop the program that has it`
          : error.message;
      reject(Object.assign(new Error(reason), { name: 'ConfigError' }));
    });
    server.listen(port, host, () => {
      const address = server.address();
      resolve(typeof address === 'object' && address ? address.port : port);
    });
  });
}

/** Stops accepting, lets requests under way end, then cuts what is left after `graceMs`. */
export async function closeServer(server: Server, graceMs: number): Promise<void> {
  endKeepAlive(server);
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const cut = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearTimeout(cut);
}
