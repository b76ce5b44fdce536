import { z } from 'zod';

/**
 * Every error code of the public API with its HTTP status and title. One vocabulary for HTTP, WebSocket and job outcomes.
 * `docs/errors.md` lists the same codes; a test holds the two together.
 */
export const problemCatalogue = {
  malformed_json: { status: 400, title: 'The body is not valid JSON' },
  bad_request: { status: 400, title: 'The request is malformed' },
  unauthenticated: { status: 401, title: 'A valid credential is needed' },
  invalid_credentials: { status: 401, title: 'E-mail or password is wrong' },
  token_expired: { status: 401, title: 'The token has expired' },
  token_reused: { status: 401, title: 'The refresh token was used before' },
  forbidden: { status: 403, title: 'This credential may not do that' },
  tenant_mismatch: { status: 403, title: 'X-Tenant-ID differs from the credential’s tenant' },
  origin_refused: { status: 403, title: 'This origin may not connect' },
  not_found: { status: 404, title: 'Not found' },
  method_not_allowed: { status: 405, title: 'The method is not allowed here' },
  not_acceptable: { status: 406, title: 'No acceptable representation' },
  conflict: { status: 409, title: 'The request conflicts with the current state' },
  idempotency_in_progress: { status: 409, title: 'The same request is still being answered' },
  cancelled: { status: 409, title: 'The turn was cancelled' },
  too_large: { status: 413, title: 'The request is too large' },
  unsupported_media_type: { status: 415, title: 'The content type is not supported' },
  validation_failed: { status: 422, title: 'A value is not allowed' },
  idempotency_mismatch: { status: 422, title: 'The idempotency key was used with another body' },
  quota_exceeded: { status: 429, title: 'A limit is used up' },
  internal: { status: 500, title: 'Something went wrong on our side' },
  model_failed: { status: 502, title: 'No model could answer' },
  overloaded: { status: 503, title: 'Too much work at the moment' },
  unavailable: { status: 503, title: 'A needed part is not available' },
  timeout: { status: 504, title: 'The request took too long' },
  deadline_exceeded: { status: 504, title: 'The turn’s deadline passed before it was answered' },
} as const satisfies Record<string, { status: number; title: string }>;

export type ProblemCode = keyof typeof problemCatalogue;

/** RFC 9457 problem details with the extensions this API adds. */
export const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  detail: z.string().optional(),
  instance: z.string().optional(),
  code: z.string(),
  request_id: z.string().optional(),
  errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
  /** Names of the limits that refused, on `quota_exceeded` and `overloaded`. */
  'violated-policies': z.array(z.string()).optional(),
  /** Seconds until a retry makes sense; the same as Retry-After. */
  retry_after_seconds: z.number().optional(),
  /** The limit that refused, for people: `10 of 10 this minute`. */
  limit: z
    .object({ policy: z.string(), limit: z.number(), remaining: z.number(), reset_seconds: z.number() })
    .optional(),
});
export type Problem = z.infer<typeof problemSchema>;

export interface FieldError {
  /** Dotted path of the field, e.g. `message` or `content.text`; `` for the whole body. */
  path: string;
  message: string;
}

export interface ProblemOptions {
  /** Public: what happened and what to do, in one or two sentences. */
  detail?: string;
  errors?: FieldError[];
  retryAfterSeconds?: number;
  violatedPolicies?: string[];
  limit?: Problem['limit'];
  /** Extra response headers, e.g. Location. */
  headers?: Record<string, string>;
  /** Internal: goes to the log only. */
  cause?: unknown;
}

/** An error with a public face. Whatever else is thrown becomes `internal` and keeps its message to the log. */
export class ProblemError extends Error {
  readonly code: ProblemCode;
  readonly status: number;
  readonly options: ProblemOptions;

  constructor(code: ProblemCode, options: ProblemOptions = {}) {
    super(options.detail ?? problemCatalogue[code].title, { cause: options.cause });
    this.name = 'ProblemError';
    this.code = code;
    this.status = problemCatalogue[code].status;
    this.options = options;
  }

  /** The body as it goes over the wire. */
  toProblem(requestId?: string, instance?: string): Problem {
    const { detail, errors, retryAfterSeconds, violatedPolicies, limit } = this.options;
    return {
      type: problemType(this.code),
      title: problemCatalogue[this.code].title,
      status: this.status,
      detail: detail ?? problemCatalogue[this.code].title,
      ...(instance && { instance }),
      code: this.code,
      ...(requestId && { request_id: requestId }),
      ...(errors && { errors }),
      ...(violatedPolicies && { 'violated-policies': violatedPolicies }),
      ...(retryAfterSeconds !== undefined && { retry_after_seconds: retryAfterSeconds }),
      ...(limit && { limit }),
    };
  }
}

/** The two types that draft-ietf-httpapi-ratelimit-headers registers are used as they are; the rest are relative to our docs. */
function problemType(code: ProblemCode): string {
  if (code === 'quota_exceeded') return 'https://iana.org/assignments/http-problem-types#quota-exceeded';
  if (code === 'overloaded') return 'https://iana.org/assignments/http-problem-types#temporary-reduced-capacity';
  return `/docs/errors#${code}`;
}

/** Parses `input`, or throws `validation_failed` (or `code`) naming each field. */
export function parseOrProblem<T>(schema: z.ZodType<T>, input: unknown, code: ProblemCode = 'validation_failed'): T {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const errors = result.error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message }));
  const first = errors[0];
  throw new ProblemError(code, {
    detail: first ? `${first.path || 'body'}: ${first.message}` : undefined,
    errors,
  });
}
