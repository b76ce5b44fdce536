import OpenAI, { APIConnectionError, APIConnectionTimeoutError, APIError, APIUserAbortError } from 'openai';
import { kindOfStatus, ModelError, type ModelErrorKind } from './model-error.js';

/** Everything is passed, so that the SDK reads nothing from the environment and never retries or logs by itself. */
export function makeOpenAi(options: { apiKey: string | undefined; baseUrl: string; timeoutMs: number }): OpenAI {
  return new OpenAI({
    apiKey: options.apiKey ?? 'none',
    baseURL: options.baseUrl.replace(/\/+$/, ''),
    organization: null,
    project: null,
    maxRetries: 0,
    timeout: options.timeoutMs,
    logLevel: 'off',
  });
}

/** Names an error of the `openai` SDK. `began`: the response had begun, so a failure to read on is a cut stream. */
export function toOpenAiError(error: unknown, began: boolean): ModelError {
  if (error instanceof ModelError) return error;
  if (error instanceof APIUserAbortError) {
    return new ModelError('aborted', 'openai', 'the request was aborted', { cause: error });
  }
  if (error instanceof APIConnectionTimeoutError) {
    return new ModelError('timeout', 'openai', 'it did not answer', { cause: error });
  }
  if (error instanceof APIConnectionError) {
    return new ModelError('server', 'openai', 'it cannot be reached', { cause: error });
  }
  if (error instanceof APIError) return fromApiError(error);
  return began
    ? new ModelError('malformed', 'openai', 'the stream was cut or cannot be read', { cause: error })
    : new ModelError('server', 'openai', 'the call failed', { cause: error });
}

function fromApiError(error: APIError): ModelError {
  const status: number | undefined = error.status;
  const kind = kindOf(error, status);
  return new ModelError(
    kind,
    'openai',
    status === undefined ? 'it reported an error in the stream' : `it answered ${status}`,
    {
      status,
      retryAfterMs: kind === 'rate_limited' || kind === 'server' ? retryAfterMs(error.headers) : undefined,
      cause: error,
    },
  );
}

function kindOf(error: APIError, status: number | undefined): ModelErrorKind {
  // An empty account answers 429 too, and no waiting helps.
  if (error.code === 'insufficient_quota') return 'auth';
  if (error.code === 'rate_limit_exceeded') return 'rate_limited';
  return status === undefined ? 'server' : kindOfStatus(status);
}

/** `retry-after-ms`, or `Retry-After` as seconds or a date. */
function retryAfterMs(headers: Headers | undefined): number | undefined {
  const inMs = headers?.get('retry-after-ms');
  if (inMs && Number.isFinite(Number(inMs))) return Math.max(0, Math.ceil(Number(inMs)));
  const told = headers?.get('retry-after');
  if (!told) return undefined;
  const seconds = Number(told);
  if (Number.isFinite(seconds)) return Math.max(0, Math.ceil(seconds * 1_000));
  const date = Date.parse(told);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

/** Some servers refuse a prompt with a 400 that names the filter: an answer of the model, not a fault. */
export function isContentFilter(error: unknown): boolean {
  return error instanceof APIError && (error.code === 'content_filter' || error.code === 'content_policy_violation');
}
