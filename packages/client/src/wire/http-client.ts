import type { LimitState } from '@sidestage/contracts';
import type { Credentials } from './credentials.js';
import type { Gateways } from './gateways.js';
import { SidestageError, toProblem, toSidestageError, unreachable } from './problem.js';
import { parseRateLimit } from './rate-limits.js';

export interface HttpRequest {
  headers?: Record<string, string>;
  /** Sent as JSON. */
  body?: object;
  signal?: AbortSignal;
  /** Until the answer's headers are there, ms. */
  timeoutMs?: number;
}

export interface HttpClientParts {
  gateways: Gateways;
  credentials: Credentials;
  fetch: typeof fetch;
  onRateLimit: (limits: LimitState[]) => void;
}

const defaultTimeoutMs = 10_000;

/** Calls the gateway that answers, with the credential that holds. */
export class HttpClient {
  constructor(private readonly parts: HttpClientParts) {}

  /**
   * The answer of a call that succeeded. A 401 asks once for another credential.
   * @throws SidestageError with the gateway's problem, or `unreachable`
   */
  async call(method: string, path: string, request: HttpRequest = {}): Promise<Response> {
    const { credentials } = this.parts;
    let credential = await credentials.get();
    for (let tries = 1; ; tries += 1) {
      const { url, response } = await this.#fetch(method, path, credential, request);
      if (response.ok) return response;
      const body: unknown = await response.json().catch(() => null);
      if (response.status === 401 && tries === 1) {
        const renewed = await credentials.renew(credential);
        if (renewed !== credential) {
          credential = renewed;
          continue;
        }
      }
      // Another gateway may be in better health; where there is none this changes nothing.
      if (response.status >= 500) this.parts.gateways.failed(url);
      throw new CallRefused(toProblem(body, response.status, response.headers.get('Retry-After')), response.headers);
    }
  }

  /** As `call`, and its body as JSON. @throws SidestageError also where the body is cut, late or no JSON */
  async json(method: string, path: string, request: HttpRequest = {}): Promise<{ body: unknown; headers: Headers }> {
    const response = await this.call(method, path, request);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new SidestageError(unreachable)), request.timeoutMs ?? defaultTimeoutMs);
    });
    try {
      return { body: await Promise.race([response.json(), late]), headers: response.headers };
    } catch (error) {
      throw toSidestageError(error);
    } finally {
      clearTimeout(timer);
    }
  }

  async #fetch(method: string, path: string, credential: string, request: HttpRequest) {
    const { gateways, fetch, onRateLimit } = this.parts;
    const { body, headers, signal, timeoutMs = defaultTimeoutMs } = request;
    const url = gateways.current;
    const controller = new AbortController();
    const abort = () => controller.abort();
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      abort();
    }, timeoutMs);
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort);
    try {
      const response = await fetch(`${url}${path}`, {
        method,
        signal: controller.signal,
        headers: {
          Authorization: `Bearer ${credential}`,
          ...(body && { 'Content-Type': 'application/json' }),
          ...headers,
        },
        ...(body && { body: JSON.stringify(body) }),
      });
      const limits = parseRateLimit(response.headers.get('RateLimit-Policy'), response.headers.get('RateLimit'));
      if (limits.length > 0) onRateLimit(limits);
      return { url, response };
    } catch (error) {
      if (!signal?.aborted) gateways.failed(url);
      throw late ? new CallTimedOut(unreachable) : new SidestageError(unreachable, { cause: error });
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    }
  }
}

/** The line is there and nothing came: the gateway is stuck, or something on the way keeps the answer back. */
export class CallTimedOut extends SidestageError {}

/** A gateway's refusal, with what its headers say. */
export class CallRefused extends SidestageError {
  constructor(
    problem: SidestageError['problem'],
    readonly headers: Headers,
  ) {
    super(problem);
  }
}
