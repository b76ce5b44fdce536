import { GoogleGenerativeAIAbortError, GoogleGenerativeAIFetchError } from '@google/generative-ai';
import { z } from 'zod';
import { kindOfStatus, ModelError } from './model-error.js';

const retryInfo = z.object({ retryDelay: z.string() });
const reasonInfo = z.object({ reason: z.string() });

/** Names an error of `@google/generative-ai`. `began`: the response had begun, so a failure to read on is a cut stream. */
export function toGeminiError(error: unknown, began: boolean): ModelError {
  if (error instanceof ModelError) return error;
  if (error instanceof GoogleGenerativeAIFetchError && error.status !== undefined)
    return fromStatus(error, error.status);
  if (error instanceof GoogleGenerativeAIAbortError) {
    return new ModelError('aborted', 'gemini', 'the request was aborted', { cause: error });
  }
  return began
    ? new ModelError('malformed', 'gemini', 'the stream was cut or cannot be read', { cause: error })
    : new ModelError('server', 'gemini', 'it cannot be reached', { cause: error });
}

function fromStatus(error: GoogleGenerativeAIFetchError, status: number): ModelError {
  const details: unknown[] = error.errorDetails ?? [];
  const badKey = details.some((detail) => reasonInfo.safeParse(detail).data?.reason === 'API_KEY_INVALID');
  const kind = badKey ? 'auth' : kindOfStatus(status);
  const waits = kind === 'rate_limited' || kind === 'server';
  return new ModelError(kind, 'gemini', `it answered ${status} ${error.statusText ?? ''}`.trimEnd(), {
    status,
    retryAfterMs: waits ? retryDelayMs(details, error.message) : undefined,
    cause: error,
  });
}

/** `details[].retryDelay` ("58s", "1.5s"), else the "retry in 58.2s" of the message. */
function retryDelayMs(details: readonly unknown[], message: string): number | undefined {
  const told = details
    .map((detail) => retryInfo.safeParse(detail).data?.retryDelay)
    .find((delay) => delay !== undefined);
  const seconds = /^(\d+(?:\.\d+)?)s$/.exec(told ?? '')?.[1] ?? /retry in (\d+(?:\.\d+)?)s/i.exec(message)?.[1];
  return seconds === undefined ? undefined : Math.ceil(Number(seconds) * 1_000);
}
