import { z } from 'zod';
import { LaunchError } from '../launch-error.js';

const REQUEST_WITHIN_MS = 35_000;
const ATTEMPTS = 5;

/** The gateway refused a call of the demo's. */
export class GatewayRefusal extends LaunchError {
  constructor(
    readonly status: number,
    why: string,
  ) {
    super('The demo could not be loaded', why, 'npm start continues it; see .sidestage/logs/gateway.log');
  }
}

const problem = z.object({ code: z.string().optional(), title: z.string().optional(), detail: z.string().optional() });

/** Calls the gateway's HTTP API as one principal, as any client does. */
export class GatewayClient {
  constructor(
    private readonly address: string,
    private readonly token?: string,
  ) {}

  /** The same gateway as somebody else. */
  as(token: string): GatewayClient {
    return new GatewayClient(this.address, token);
  }

  get<T>(path: string, schema: z.ZodType<T>): Promise<T> {
    return this.#call('GET', path, undefined, schema);
  }

  post<T>(path: string, body: unknown, schema: z.ZodType<T>): Promise<T> {
    return this.#call('POST', path, body, schema);
  }

  /** Refusals that name when to come back are waited out: a gateway that has just started may be behind. */
  async #call<T>(method: string, path: string, body: unknown, schema: z.ZodType<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      const response = await fetch(new URL(path, this.address), {
        method,
        headers: {
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(this.token ? { authorization: `Bearer ${this.token}` } : {}),
        },
        body: body === undefined ? null : JSON.stringify(body),
        signal: AbortSignal.timeout(REQUEST_WITHIN_MS),
      });
      const text = await response.text();
      if (response.ok) return schema.parse(JSON.parse(text));
      const comesBack = response.status === 429 || response.status === 503;
      if (!comesBack || attempt >= ATTEMPTS) throw refusal(method, path, response.status, text);
      const seconds = Number(response.headers.get('retry-after') ?? 1);
      await new Promise((resolve) => setTimeout(resolve, Math.min(Math.max(seconds, 1), 30) * 1000));
    }
  }
}

function refusal(method: string, path: string, status: number, text: string): GatewayRefusal {
  let said = text.slice(0, 200);
  try {
    const { code, title, detail } = problem.parse(JSON.parse(text));
    said = [code, detail ?? title].filter(Boolean).join(': ');
  } catch {
    // Not a problem document: show what came.
  }
  return new GatewayRefusal(status, `${method} ${path} answered ${status} ${said}`);
}
