import type { ModelProvider } from './chat-model.js';

/**
 * What went wrong between us and a provider:
 * - `rate_limited`: it asks to wait (`retryAfterMs` when it said how long)
 * - `server`: it failed or could not be reached
 * - `timeout`: one of our deadlines passed (first token, gap, total)
 * - `malformed`: what came was cut or cannot be read, or ended without a finish reason
 * - `refused_request`: it will not take this request, however often it is sent
 * - `auth`: the key is missing, wrong or not allowed
 * - `aborted`: our caller's signal ended it
 */
export type ModelErrorKind =
  | 'rate_limited'
  | 'server'
  | 'timeout'
  | 'malformed'
  | 'refused_request'
  | 'auth'
  | 'aborted';

const retryableKinds: ReadonlySet<ModelErrorKind> = new Set(['rate_limited', 'server', 'timeout', 'malformed']);

/** The only error that leaves this package's providers. Its message holds no key, prompt or reply text. */
export class ModelError extends Error {
  override readonly name = 'ModelError';
  readonly kind: ModelErrorKind;
  readonly provider: ModelProvider;
  /** The same request to the same provider may succeed later. */
  readonly retryable: boolean;
  /** Milliseconds the provider asked to wait; only with `rate_limited` and `server`. */
  readonly retryAfterMs: number | undefined;
  /** HTTP status, where one was received. */
  readonly status: number | undefined;

  constructor(
    kind: ModelErrorKind,
    provider: ModelProvider,
    message: string,
    details: { retryAfterMs?: number | undefined; status?: number | undefined; cause?: unknown } = {},
  ) {
    super(`${provider}: ${message}`, details.cause === undefined ? undefined : { cause: details.cause });
    this.kind = kind;
    this.provider = provider;
    this.retryable = retryableKinds.has(kind);
    this.retryAfterMs = details.retryAfterMs;
    this.status = details.status;
  }
}

/** The kind an HTTP status means when nothing more is known. */
export function kindOfStatus(status: number): ModelErrorKind {
  if (status === 429) return 'rate_limited';
  if (status === 401 || status === 403) return 'auth';
  if (status === 408 || status === 504) return 'timeout';
  if (status >= 500) return 'server';
  return 'refused_request';
}
