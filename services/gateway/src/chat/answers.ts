import type { ServerResponse } from 'node:http';
import { type Accepted, type Problem, ProblemError, type ReplyEvent } from '@sidestage/contracts';
import { sendProblem } from '@sidestage/runtime';
import { messageLocation, type Turn } from './turn.js';

/** For whatever answer comes; those of the answer itself win. */
export function setHeaders(response: ServerResponse, headers: Record<string, string>): void {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
}

/** Writes JSON; `headers` beside Content-Type and Cache-Control. */
export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    ...headers,
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': Buffer.byteLength(text),
    'Cache-Control': 'no-store',
  });
  response.end(text);
}

export function sendNothing(response: ServerResponse, headers: Record<string, string> = {}): void {
  response.writeHead(204, { ...headers, 'Cache-Control': 'no-store' });
  response.end();
}

/** The 202: accepted, to be read at its Location. */
export function sendAccepted(
  response: ServerResponse,
  turn: Turn,
  state: Pick<Accepted, 'status' | 'position' | 'eta_ms'>,
  headers: Record<string, string>,
): void {
  const body: Accepted = {
    message_id: turn.id,
    conversation_id: turn.conversationId,
    creator_id: turn.creatorId,
    ...state,
  };
  sendJson(response, 202, body, { ...headers, Location: messageLocation(turn.id) });
}

/** A failed turn's own problem, as this request's answer. */
function sendFailure(
  response: ServerResponse,
  problem: Problem,
  requestId: string,
  headers: Record<string, string>,
): void {
  const body = JSON.stringify({ ...problem, request_id: requestId });
  if (problem.status === 503 || problem.status === 429)
    response.setHeader('Retry-After', String(Math.max(1, Math.ceil(problem.retry_after_seconds ?? 5))));
  response.writeHead(problem.status, {
    ...headers,
    'Content-Type': 'application/problem+json',
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
  });
  response.end(body);
}

/** The answer of a turn that has ended: 200, the problem's own status, or 409 for a cancelled one. */
export function sendOutcome(
  response: ServerResponse,
  turn: Turn,
  terminal: ReplyEvent,
  requestId: string,
  headers: Record<string, string>,
): void {
  const all = { ...headers, 'Content-Location': messageLocation(turn.id) };
  if (terminal.type === 'completed') {
    const { type, seq, ...completed } = terminal;
    const body = { ...completed, message_id: turn.id, conversation_id: turn.conversationId };
    sendJson(response, 200, body, all);
  } else if (terminal.type === 'failed') {
    sendFailure(response, terminal.problem, requestId, all);
  } else {
    sendProblem(response, new ProblemError('cancelled', { headers: all }), requestId, messageLocation(turn.id));
  }
}
