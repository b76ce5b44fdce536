import { type LimitState, ProblemError, type TierPolicy } from '@sidestage/contracts';
import type { AdmissionResult } from '@sidestage/turns';

const windowSeconds: Record<string, number> = { hour: 3600, minute: 60 };

/** `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers): what is granted, what is left, seconds until it is new. */
export function rateLimitHeaders(limits: LimitState[]): Record<string, string> {
  if (limits.length === 0) return {};
  return {
    'RateLimit-Policy': limits
      .map(({ policy, limit }) => `"${policy}";q=${limit};w=${windowSeconds[policy] ?? 60}`)
      .join(', '),
    RateLimit: limits
      .map(({ policy, remaining, reset_seconds }) => `"${policy}";r=${remaining};t=${reset_seconds}`)
      .join(', '),
  };
}

type Refused = Extract<AdmissionResult, { kind: 'refused' }>;

function sentence(refused: Refused, granted: number, seconds: number): string {
  const later = `Try again in ${seconds} second${seconds === 1 ? '' : 's'}.`;
  if (refused.policy === 'in_flight')
    return `${granted} of your messages ${granted === 1 ? 'is' : 'are'} still being answered. ${later}`;
  if (refused.policy === 'tenant') return `This site receives more messages than it may at the moment. ${later}`;
  return `${granted} of ${granted} messages this ${refused.policy} are used. ${later}`;
}

/** The 503 of a turn that would expire in the line. */
function backlogged(refused: Refused, seconds: number): ProblemError {
  return new ProblemError('overloaded', {
    detail: `More messages wait than can be answered in time. Nothing was kept; try again in ${seconds} seconds.`,
    retryAfterSeconds: seconds,
    violatedPolicies: [refused.policy],
    headers: rateLimitHeaders(refused.limits),
  });
}

/** The 429 of a refused turn, or the 503 of a backlog: names the policy and when to come back. */
export function quotaExceeded(refused: Refused, limits: TierPolicy): ProblemError {
  const seconds = Math.max(1, Math.ceil(refused.retry_after_ms / 1000));
  if (refused.policy === 'backlog') return backlogged(refused, seconds);
  const state = refused.limits.find(({ policy }) => policy === refused.policy);
  const granted = state?.limit ?? (refused.policy === 'in_flight' ? limits.in_flight : 0);
  return new ProblemError('quota_exceeded', {
    detail: sentence(refused, granted, seconds),
    retryAfterSeconds: seconds,
    violatedPolicies: [refused.policy],
    limit: { policy: refused.policy, limit: granted, remaining: 0, reset_seconds: seconds },
    headers: rateLimitHeaders(refused.limits),
  });
}
