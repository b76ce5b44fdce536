import type { Problem } from '@sidestage/contracts';

/**
 * What stands between a message and its reply: the gateway's problem (RFC 9457), or one of the client's own codes: `unreachable` (no gateway
 * answered for as long as it was tried) and `closed` (the conversation was closed here).
 */
export class SidestageError extends Error {
  constructor(
    readonly problem: Problem,
    options?: { cause?: unknown },
  ) {
    super(problem.detail ?? problem.title, options);
    this.name = 'SidestageError';
  }

  /** Stable, for code to look at. */
  get code(): string {
    return this.problem.code;
  }

  /** How long the server asks to wait before another try, ms; null where it does not say. */
  get retryAfterMs(): number | null {
    const seconds = this.problem.retry_after_seconds;
    return seconds === undefined ? null : seconds * 1000;
  }
}

const ownProblem = (code: string, title: string, status = 0): Problem => ({ type: 'about:blank', title, status, code });

export const unreachable = ownProblem('unreachable', 'Sidestage cannot be reached');
export const closedHere = ownProblem('closed', 'The conversation was closed here');
export const cancelledTurn = ownProblem('cancelled', 'The turn was cancelled', 409);
export const tooLarge = ownProblem('too_large', 'The message is larger than 64 KiB', 413);

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A problem from a body that should be one; whatever else came becomes a problem with the status alone. */
export function toProblem(body: unknown, status: number, retryAfter: string | null = null): Problem {
  const known = isRecord(body) && typeof body.code === 'string' && typeof body.title === 'string';
  const problem = known
    ? ({ ...body, status: typeof body.status === 'number' ? body.status : status } as Problem)
    : ownProblem(codeOf(status), `The server answered ${status}`, status);
  const seconds = secondsOf(retryAfter);
  return seconds !== null && problem.retry_after_seconds === undefined
    ? { ...problem, retry_after_seconds: seconds }
    : problem;
}

/** `Retry-After` as seconds: it may be a number of them or a date. */
function secondsOf(retryAfter: string | null): number | null {
  if (retryAfter === null || retryAfter.trim() === '') return null;
  const seconds = Number(retryAfter);
  if (Number.isFinite(seconds)) return Math.max(0, seconds);
  const date = Date.parse(retryAfter);
  return Number.isNaN(date) ? null : Math.max(0, (date - Date.now()) / 1000);
}

function codeOf(status: number): string {
  if (status === 401) return 'unauthenticated';
  if (status === 404) return 'not_found';
  if (status === 429) return 'quota_exceeded';
  if (status === 503) return 'overloaded';
  if (status === 502 || status === 504) return 'unavailable';
  return 'internal';
}

/** Whatever was thrown, as this library's error; what is none of ours counts as a line that was cut. */
export function toSidestageError(error: unknown): SidestageError {
  return error instanceof SidestageError ? error : new SidestageError(unreachable, { cause: error });
}

/** The problem behind whatever was thrown. */
export function problemOf(error: unknown): Problem {
  return toSidestageError(error).problem;
}
