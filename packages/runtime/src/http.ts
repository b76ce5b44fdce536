import type { IncomingMessage, ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import { type Problem, ProblemError } from '@sidestage/contracts';
import type { ErrorRequestHandler, RequestHandler } from 'express';
import { makeId } from './ids.js';
import type { Logger } from './logger.js';
import type { Metrics } from './metrics.js';
import { isUnavailable } from './postgres.js';

/** Requests slower than this are logged as slow. */
const slowMs = 5_000;
const requestIdPattern = /^[\x21-\x7e]{1,128}$/;
const traceparentPattern = /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

/** What travels with a request through gateway, queue, worker and retrieval. */
export interface RequestTrace {
  requestId: string;
  /** W3C Trace Context */
  traceparent?: string;
  startedAt: number;
}
const traces = new WeakMap<IncomingMessage, RequestTrace>();

/** The trace's id, as log lines name it; undefined where there is none. */
export function traceIdOf(traceparent: string | null | undefined): string | undefined {
  return traceparent?.split('-')[1];
}

/** The trace of a request; made from its headers at the first call. */
export function traceOf(request: IncomingMessage): RequestTrace {
  let trace = traces.get(request);
  if (!trace) {
    const id = request.headers['x-request-id'];
    const parent = request.headers.traceparent;
    trace = {
      requestId: typeof id === 'string' && requestIdPattern.test(id) ? id : makeId(),
      startedAt: performance.now(),
      ...(typeof parent === 'string' && traceparentPattern.test(parent) && { traceparent: parent }),
    };
    traces.set(request, trace);
  }
  return trace;
}

/** Gives every answer X-Request-ID and X-Process-Time, counts it, logs it when it was slow or failed. Works on plain node responses too. */
export function watchRequest(
  request: IncomingMessage,
  response: ServerResponse,
  options: { logger: Logger; metrics: Metrics; route: () => string; longLived?: () => boolean },
): RequestTrace {
  const trace = traceOf(request);
  response.setHeader('X-Request-ID', trace.requestId);
  const writeHead = response.writeHead;
  response.writeHead = function withProcessTime(this: ServerResponse, ...args: Parameters<typeof writeHead>) {
    if (!response.headersSent) {
      response.setHeader('X-Process-Time', ((performance.now() - trace.startedAt) / 1000).toFixed(4));
    }
    return writeHead.apply(this, args);
  } as typeof writeHead;
  response.on('close', () => {
    const tookMs = performance.now() - trace.startedAt;
    const status = response.statusCode;
    options.metrics.httpRequests.observe(
      { method: request.method ?? 'GET', route: options.route(), status: `${Math.floor(status / 100)}xx` },
      tookMs / 1000,
    );
    const line = {
      request_id: trace.requestId,
      trace_id: traceIdOf(trace.traceparent),
      method: request.method,
      route: options.route(),
      status,
      took_ms: Math.round(tookMs),
    };
    if (tookMs > slowMs && !options.longLived?.()) options.logger.warn(line, 'slow request');
    else if (status >= 500) options.logger.error(line, 'request failed');
    else options.logger.debug(line, 'request');
  });
  return trace;
}

/** Any thrown value as a public error: body-parser's errors are mapped, the unknown becomes `internal`. */
export function toProblemError(error: unknown): ProblemError {
  if (error instanceof ProblemError) return error;
  const type = error instanceof Error && 'type' in error ? error.type : undefined;
  if (type === 'entity.too.large')
    return new ProblemError('too_large', { detail: 'The body is larger than this route takes.' });
  if (type === 'entity.parse.failed')
    return new ProblemError('malformed_json', { detail: 'The body is not valid JSON.' });
  if (type === 'encoding.unsupported' || type === 'charset.unsupported')
    return new ProblemError('unsupported_media_type', { cause: error });
  if (type === 'request.aborted' || type === 'request.size.invalid')
    return new ProblemError('bad_request', { cause: error });
  if (error instanceof URIError)
    return new ProblemError('bad_request', { detail: 'The address is not valid percent-encoding.' });
  // Postgres is away or strained, or its connections are all taken: the client may come back.
  if (isUnavailable(error)) return new ProblemError('unavailable', { retryAfterSeconds: 2, cause: error });
  return new ProblemError('internal', { cause: error });
}

/** Writes a problem; Retry-After accompanies every 429 and 503. */
export function sendProblem(
  response: ServerResponse,
  error: ProblemError,
  requestId: string,
  instance?: string,
): Problem {
  const problem = error.toProblem(requestId, instance);
  if (response.headersSent) {
    response.destroy();
    return problem;
  }
  const retryAfter =
    error.options.retryAfterSeconds ?? (error.status === 503 ? 5 : error.status === 429 ? 1 : undefined);
  if (retryAfter !== undefined) response.setHeader('Retry-After', String(Math.max(1, Math.ceil(retryAfter))));
  if (error.status === 401) response.setHeader('WWW-Authenticate', 'Bearer realm="sidestage"');
  for (const [name, value] of Object.entries(error.options.headers ?? {})) response.setHeader(name, value);
  const body = JSON.stringify(problem);
  response.writeHead(error.status, {
    'Content-Type': 'application/problem+json',
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
  });
  response.end(body);
  return problem;
}

/** The last middleware of an express app: the one place where errors become answers. */
export function problemHandler(logger: Logger): ErrorRequestHandler {
  return (error, request, response, _next) => {
    const problem = toProblemError(error);
    const { requestId } = traceOf(request);
    if (problem.status >= 500)
      logger.error(
        { err: problem.options.cause ?? problem, request_id: requestId, code: problem.code },
        'request error',
      );
    sendProblem(response, problem, requestId, request.originalUrl.split('?')[0]);
  };
}

/** Unknown paths. */
export const notFound: RequestHandler = (request, _response, next) => {
  next(new ProblemError('not_found', { detail: `There is nothing at ${request.method} ${request.path}.` }));
};

/** Whether an address is loopback or private (RFC 1918, RFC 4193, link-local). */
export function isPrivateAddress(address: string | undefined): boolean {
  if (!address) return false;
  const plain = address.replace(/^::ffff:/, '');
  if (isIP(plain) === 4) return /^(127\.|10\.|192\.168\.|169\.254\.|172\.(1[6-9]|2\d|3[01])\.)/.test(plain);
  return plain === '::1' || /^f[cd]/i.test(plain) || /^fe80/i.test(plain);
}

/** Metrics, docs and details answer loopback and private peers only; others see 404. A proxy's peer counts with all it forwards for. */
export const privateOnly: RequestHandler = (request, _response, next) => {
  const forwarded = String(request.headers['x-forwarded-for'] ?? '')
    .split(',')
    .map((address) => address.trim())
    .filter((address) => address !== '');
  const inside = [request.socket.remoteAddress, ...forwarded].every(isPrivateAddress);
  next(inside ? undefined : new ProblemError('not_found'));
};
