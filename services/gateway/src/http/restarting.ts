import { ProblemError } from '@sidestage/contracts';

/** The refusal of a gateway that is told to stop: another one, or its successor, takes the request. Nothing was kept of it. */
export function restarting(): ProblemError {
  return new ProblemError('unavailable', { detail: 'This gateway restarts; try again.', retryAfterSeconds: 1 });
}
