import type { Problem } from '@sidestage/contracts';

/** What happened to a turn, in a fan's words; codes stay in the details. */
export function wordsFor(problem: Problem, creatorName: string): string {
  switch (problem.code) {
    case 'deadline_exceeded':
    case 'timeout':
      return `${creatorName} took too long over this one. Nothing was counted against you.`;
    case 'overloaded':
      return 'A great many people are asking at this moment.';
    case 'model_failed':
      return `${creatorName} could not put an answer together just now.`;
    case 'unavailable':
      return 'A part of Sidestage is down for a moment.';
    case 'not_found':
      return 'This conversation is not there any more. It may have been deleted on another device.';
    case 'too_large':
      return 'That message is too long to send.';
    case 'validation_failed':
      return problem.errors?.[0]?.message
        ? `That could not be sent: ${problem.errors[0].message}.`
        : 'That could not be sent.';
    case 'unauthenticated':
    case 'token_expired':
    case 'token_reused':
      return 'Your visit has ended. Sign in to go on.';
    case 'conflict':
    case 'idempotency_mismatch':
      return 'That was sent before in other words.';
    default:
      return 'Something went wrong on our side.';
  }
}

/** What an account form says about a refusal. */
export function accountWordsFor(problem: Problem): string {
  switch (problem.code) {
    case 'invalid_credentials':
      return 'E-mail or password is wrong.';
    case 'conflict':
      return 'There is an account with this e-mail already. Sign in instead.';
    case 'quota_exceeded':
      return `Too many tries. Try again in ${Math.max(1, Math.ceil(problem.retry_after_seconds ?? 60))} seconds.`;
    case 'validation_failed':
      return (
        problem.errors?.map((error) => `${fieldNames[error.path] ?? error.path}: ${error.message}`).join('. ') ??
        problem.title
      );
    default:
      return problem.detail ?? problem.title;
  }
}

const fieldNames: Record<string, string> = { email: 'E-mail', password: 'Password', display_name: 'Name' };

/** The line over a composer that has to wait: `10 of 10 this minute`. */
export function limitWords(problem: Problem): string {
  const limit = problem.limit;
  if (!limit) return 'That was a lot of messages at once.';
  if (/flight/.test(limit.policy)) return `${limit.limit} replies are being written already.`;
  const window = /hour/.test(limit.policy) ? 'this hour' : 'this minute';
  if (/tenant/.test(limit.policy)) return 'This stage is full at the moment.';
  return `${Math.max(0, limit.limit - limit.remaining)} of ${limit.limit} ${window}.`;
}
