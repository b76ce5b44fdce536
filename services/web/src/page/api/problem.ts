import type { Problem } from '@sidestage/contracts';

/** A refusal by the gateway, or no answer at all (`code: 'unreachable'`). */
export class ProblemError extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail ?? problem.title);
    this.name = 'ProblemError';
  }
}

export const unreachable: Problem = {
  type: 'about:blank',
  title: 'Sidestage cannot be reached',
  status: 0,
  code: 'unreachable',
};

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A problem from a body that should be one; whatever else came becomes a problem with the status alone. */
export function toProblem(body: unknown, status: number, retryAfter: string | null = null): Problem {
  const seconds = Number(retryAfter);
  const known = isRecord(body) && typeof body.code === 'string' && typeof body.title === 'string';
  const problem: Problem = known
    ? (body as Problem)
    : { type: 'about:blank', title: `The server answered ${status}`, status, code: codeOf(status) };
  return retryAfter && Number.isFinite(seconds) && problem.retry_after_seconds === undefined
    ? { ...problem, retry_after_seconds: seconds }
    : problem;
}

function codeOf(status: number): string {
  if (status === 401) return 'unauthenticated';
  if (status === 404) return 'not_found';
  if (status === 429) return 'quota_exceeded';
  if (status === 503) return 'overloaded';
  if (status === 502 || status === 504) return 'unavailable';
  return 'internal';
}

export function problemOf(error: unknown): Problem {
  return error instanceof ProblemError ? error.problem : unreachable;
}
