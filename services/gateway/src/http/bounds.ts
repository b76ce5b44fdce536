import { ProblemError } from '@sidestage/contracts';
import { sendProblem, traceOf } from '@sidestage/runtime';
import type { RequestHandler } from 'express';

/** The chat routes end a wait at the bound themselves, with a 202; this one is only behind them. */
const waitSlackMs = 2_000;
const waitingPaths = new Set(['/api/v1/chat', '/chat/message', '/api/v2/chat/message']);

/** Ends a request that has had no answer within `timeoutMs` with 504. Streams that have begun go on. */
export function boundTime(timeoutMs: number): RequestHandler {
  return (request, response, next) => {
    const limitMs = waitingPaths.has(request.path) ? timeoutMs + waitSlackMs : timeoutMs;
    const timer = setTimeout(() => {
      if (response.headersSent) return;
      const problem = new ProblemError('timeout', { detail: `There was no answer within ${timeoutMs / 1000} s.` });
      sendProblem(response, problem, traceOf(request).requestId, request.path);
    }, limitMs);
    response.once('close', () => clearTimeout(timer));
    next();
  };
}

/** Refuses requests over the number this process answers at once, kindly and before any work. */
export function boundConcurrency(limit: number): RequestHandler {
  let running = 0;
  return (_request, response, next) => {
    if (running >= limit) {
      next(
        new ProblemError('overloaded', {
          detail: 'This gateway answers as many requests as it can; try again shortly.',
          retryAfterSeconds: 1,
          violatedPolicies: ['concurrency'],
        }),
      );
      return;
    }
    running++;
    response.once('close', () => {
      running--;
    });
    next();
  };
}
