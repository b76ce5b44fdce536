import type { LiveTurn } from '../turn.js';
import { CallRefused } from '../wire/http-client.js';
import type { SidestageError } from '../wire/problem.js';

/** How one try to bring a turn to its end went, when it did not throw. */
export interface Attempt {
  /** The road brought something: failures before it no longer count. */
  fruitful: boolean;
  /** What the server asked to wait before the next try, ms. */
  waitMs: number;
}

/** A way to bring one message to the server and its reply back. Each try goes on from where the turn stands. */
export interface Road {
  /** Resolves when the turn is over or the line is lost. Throws SidestageError where the server or the line refused. */
  carry(turn: LiveTurn, signal: AbortSignal): Promise<Attempt>;
}

/** Whether trying again is of no use: the server has understood and declined. */
export function isFinal(error: SidestageError, accepted: boolean): boolean {
  const { status, code } = error.problem;
  if (code === 'unreachable' || code === 'idempotency_in_progress' || status >= 500 || status === 408) return false;
  // Somebody who waits is told at once that a limit is used up; what is accepted already only waits for its turn to ask.
  if (status === 429) return !accepted;
  return true;
}

/** `/api/v1/messages/{id}` in the header that names the turn an answer is about; null without one. */
export function messageIdIn(headers: Headers): string | null {
  const location = headers.get('Location') ?? headers.get('Content-Location');
  const [, id] = /\/api\/v1\/messages\/([^/?#]+)/.exec(location ?? '') ?? [];
  return id === undefined ? null : decodeURIComponent(id);
}

/** The message id where a repeated key is told that its turn runs; null for any other refusal. */
export function runningTurn(error: unknown): string | null {
  return error instanceof CallRefused && error.code === 'idempotency_in_progress' ? messageIdIn(error.headers) : null;
}
