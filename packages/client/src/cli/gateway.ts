import { setTimeout as sleep } from 'node:timers/promises';
import { type Problem, problemSchema, sessionSchema } from '@sidestage/contracts';
import type { z } from 'zod';
import { type Access, findAccess } from './access.js';
import { CommandError, exitCodes, type Surroundings } from './surroundings.js';

const requestMs = 35_000;
/** A refusal that says when to come back is waited for this often, and no longer than this at a time. */
const mostWaits = 5;
const longestWaitMs = 65_000;

/** A request that the gateway answered with a problem. */
export class RefusedError extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail ?? problem.title);
    this.name = 'RefusedError';
  }
}

/** The gateway, asked as the operator. */
export interface Gateway {
  /** The parsed body of a 2xx. Throws RefusedError; CommandError where the gateway cannot be reached. */
  call<T>(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, schema: z.ZodType<T>, body?: FormData): Promise<T>;
  /** The same for an answer without a body. */
  send(method: 'POST' | 'DELETE', path: string): Promise<void>;
}

/** Finds out whom to ask and signs in. Throws CommandError with what to do. */
export async function openGateway(surroundings: Surroundings, urlFlag: string | undefined): Promise<Gateway> {
  const access = findAccess(surroundings, urlFlag);
  const request = makeRequest(access.url, surroundings);
  const token = 'token' in access.credential ? access.credential.token : await signIn(request, access, surroundings);
  // Access tokens last 15 minutes; long work signs in again where it can.
  let signedIn = token;
  const asOperator = async (method: string, path: string, body?: FormData) => {
    const send = () => request(method, path, { Authorization: `Bearer ${signedIn}` }, body);
    try {
      return await send().catch(async (error: unknown) => {
        if ('token' in access.credential || !isExpired(error)) throw error;
        signedIn = await signIn(request, access, surroundings);
        return send();
      });
    } catch (error) {
      throw explained(error, access);
    }
  };
  return {
    call: async (method, path, schema, body) => {
      const answer = await asOperator(method, path, body);
      const parsed = schema.safeParse(answer);
      if (parsed.success) return parsed.data;
      throw new CommandError(
        exitCodes.failed,
        `${access.url} answers ${path} in a way this command does not know: are both of the same version?`,
      );
    },
    send: async (method, path) => {
      await asOperator(method, path);
    },
  };
}

const isExpired = (error: unknown) => error instanceof RefusedError && error.problem.status === 401;

type SendRequest = (method: string, path: string, headers: Record<string, string>, body?: unknown) => Promise<unknown>;

function makeRequest(url: string, { warn }: Surroundings): SendRequest {
  async function once(...[method, path, headers, body]: Parameters<SendRequest>): Promise<Response> {
    try {
      return await fetch(`${url}${path}`, {
        method,
        headers: {
          Accept: 'application/json',
          ...headers,
          ...(body !== undefined && !(body instanceof FormData) && { 'Content-Type': 'application/json' }),
        },
        body: body === undefined ? null : body instanceof FormData ? body : JSON.stringify(body),
        signal: AbortSignal.timeout(requestMs),
      });
    } catch (error) {
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
      const why =
        cause instanceof Error ? ('code' in cause && cause.code ? String(cause.code) : cause.message) : String(cause);
      throw new CommandError(
        exitCodes.noAccess,
        `cannot reach the gateway at ${url} (${why}). Is it running? npm start starts one; SIDESTAGE_URL or --url names another.`,
      );
    }
  }

  return async (...request) => {
    for (let waits = 0; ; waits++) {
      const response = await once(...request);
      const text = await response.text();
      if (response.ok) return text === '' ? null : JSON.parse(text);
      const retryMs = Number(response.headers.get('retry-after') ?? Number.NaN) * 1000;
      const comeBack = (response.status === 429 || response.status === 503) && retryMs <= longestWaitMs;
      if (!comeBack || waits === mostWaits) throw new RefusedError(problemOf(response.status, text));
      warn(`sidestage: the gateway asks to wait ${Math.ceil(retryMs / 1000)} s`);
      await sleep(retryMs);
    }
  };
}

function problemOf(status: number, text: string): Problem {
  try {
    return problemSchema.parse(JSON.parse(text));
  } catch {
    const detail = `HTTP ${status}, and no problem of a Sidestage gateway: is the address right?`;
    return { type: 'about:blank', title: `HTTP ${status}`, status, code: 'unknown', detail };
  }
}

async function signIn(request: SendRequest, access: Access, { environment }: Surroundings): Promise<string> {
  if ('token' in access.credential) return access.credential.token;
  const { email, password, from } = access.credential;
  const tenant = environment.SIDESTAGE_TENANT;
  try {
    const headers: Record<string, string> = tenant === undefined ? {} : { 'X-Tenant-ID': tenant };
    return sessionSchema.parse(await request('POST', '/api/v1/auth/login', headers, { email, password })).access_token;
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    throw new CommandError(
      exitCodes.noAccess,
      `${access.url} does not sign in ${email} (from ${from}): ${error.message} Check the address of the gateway, the account and its tenant (SIDESTAGE_TENANT).`,
    );
  }
}

/** What a credential that is not enough means for whoever typed the command. */
function explained(error: unknown, { credential }: Access): unknown {
  if (!(error instanceof RefusedError)) return error;
  const { status } = error.problem;
  if (status === 401)
    return new CommandError(
      exitCodes.noAccess,
      `the gateway does not take the ${'token' in credential ? 'SIDESTAGE_TOKEN: access tokens last 15 minutes' : 'account'}. ${error.message}`,
    );
  if (status === 403)
    return new CommandError(
      exitCodes.noAccess,
      `${error.message} Set SIDESTAGE_EMAIL and SIDESTAGE_PASSWORD of an operator.`,
    );
  return error;
}
