import type { Role, SessionView, Tier } from '@sidestage/contracts';
import { makeId, makeLogger } from '@sidestage/runtime';
import {
  type Database,
  hashPassword,
  makeApiKey,
  makeApiKeyRepository,
  makeDatabase,
  makeTenantRepository,
  makeUserRepository,
} from '@sidestage/store';
import { makeTestDatabase, makeTestRedis, type TestDatabase, type TestRedis } from '@sidestage/testkit';
import { readConfig } from '../config.js';
import { runGateway } from '../run.js';

export const testJwtSecret = 'a test’s own key, not shipped anywhere';

export interface Answer<Body = Record<string, unknown>> {
  status: number;
  headers: Headers;
  body: Body;
}

export interface CallOptions {
  /** Sent as JSON. */
  body?: unknown;
  /** Sent as it is. */
  raw?: string | FormData | Buffer;
  /** An access token or an API key. */
  token?: string;
  headers?: Record<string, string>;
}

export interface Seeded {
  tenantId: string;
  /** Of an integrator. */
  key: string;
}

/** A gateway on a database and a Redis of its own, with a first tenant. */
export interface TestGateway {
  url: string;
  /** Of another gateway on the same database and Redis. */
  readonly others: string[];
  database: TestDatabase;
  redis: TestRedis;
  store: Database;
  home: Seeded;
  call<Body = Record<string, unknown>>(method: string, path: string, options?: CallOptions): Promise<Answer<Body>>;
  makeTenant(name: string): Promise<Seeded>;
  makeKey(tenantId: string, tier?: Tier): Promise<{ id: string; key: string }>;
  /** Signs up, or for an operator makes the account as the launcher does. */
  signIn(role: Exclude<Role, 'integrator'>, tenantId?: string): Promise<SessionView>;
  /** A conversation with one answered turn. */
  makeConversation(of: {
    tenantId: string;
    creatorId: string;
    principal: string;
  }): Promise<{ id: string; turnId: string }>;
  startAnother(): Promise<string>;
  /** Stops the first one, as SIGTERM does. */
  stopFirst(): Promise<void>;
  close(): Promise<void>;
}

export async function startTestGateway(variables: Record<string, string> = {}): Promise<TestGateway> {
  const [database, redis] = await Promise.all([makeTestDatabase(), makeTestRedis()]);
  const logger = makeLogger({ service: 'gateway-test', level: 'FATAL' });
  const store = makeDatabase({ url: database.url, max: 4, idleMs: 1_000, waitMs: 2_000, logger });
  const running: { close(): Promise<void> }[] = [];
  const others: string[] = [];

  async function start(): Promise<string> {
    const config = readConfig({
      DATABASE_URL: database.url,
      REDIS_URL: redis.url,
      JWT_SECRET_KEY: testJwtSecret,
      RETRIEVAL_TOKEN: 'of-this-test-only',
      RETRIEVAL_URL: 'http://127.0.0.1:9',
      LOG_LEVEL: 'FATAL',
      DB_POOL_MAX: '40',
      AUTH_RATE_PER_MINUTE: '100000',
      ANON_RATE_PER_MINUTE: '100000',
      DRAIN_NOTICE_MS: '0',
      ...variables,
    });
    const { lifecycle, port } = await runGateway({ ...config, port: 0 });
    running.push(lifecycle);
    return `http://127.0.0.1:${port}`;
  }

  async function makeKey(tenantId: string, tier: Tier = 'enterprise') {
    const { key, hash, prefix } = makeApiKey();
    const row = await makeApiKeyRepository(store).create({
      tenant_id: tenantId,
      name: 'test',
      tier,
      hash,
      prefix,
      actor: 'system',
    });
    return { id: row.id, key };
  }

  async function makeTenant(name: string): Promise<Seeded> {
    const tenant = await makeTenantRepository(store.engine).create({ name });
    return { tenantId: tenant.id, key: (await makeKey(tenant.id)).key };
  }

  const home = await makeTenant('home');
  const url = await start();

  async function call<Body>(method: string, path: string, options: CallOptions = {}): Promise<Answer<Body>> {
    const { body, raw, token, headers } = options;
    const response = await fetch(`${path.startsWith('http') ? '' : url}${path}`, {
      method,
      headers: {
        ...(token !== undefined && { Authorization: `Bearer ${token}` }),
        ...(body !== undefined && { 'Content-Type': 'application/json' }),
        ...headers,
      },
      body: body === undefined ? raw : JSON.stringify(body),
    });
    const text = await response.text();
    const isJson = /json/.test(response.headers.get('content-type') ?? '');
    return { status: response.status, headers: response.headers, body: (isJson ? JSON.parse(text) : text) as Body };
  }

  return {
    url,
    others,
    database,
    redis,
    store,
    home,
    call,
    makeTenant,
    makeKey,

    async signIn(role, tenantId = home.tenantId) {
      const email = `${makeId()}@example.org`;
      const password = 'correct horse battery';
      const headers = { 'X-Tenant-ID': tenantId };
      if (role !== 'operator')
        return (await call<SessionView>('POST', '/api/v1/auth/register', { body: { email, password, role }, headers }))
          .body;
      await makeUserRepository(store).create({
        tenant_id: tenantId,
        email,
        password_hash: await hashPassword(password),
        display_name: 'Operator',
        role,
      });
      return (await call<SessionView>('POST', '/api/v1/auth/login', { body: { email, password }, headers })).body;
    },

    async makeConversation({ tenantId, creatorId, principal }) {
      const id = makeId();
      const turnId = makeId();
      await database.query(
        'INSERT INTO conversations (id, tenant_id, creator_id, principal, title, next_ordinal) VALUES ($1, $2, $3, $4, $5, 2)',
        [id, tenantId, creatorId, principal, 'Hello'],
      );
      await database.query(
        `INSERT INTO turns (id, tenant_id, conversation_id, creator_id, generation_id, principal, tier, ordinal, state, outcome,
           message, deadline_at, ended_at, reply_text, citations, grounded, feedback, feedback_comment)
         VALUES ($1, $2, $3, $4, $1, $5, 'free', 1, 'done', 'completed', 'Hello', now(), now(), 'Hi there', '[]', true, 'up', 'so kind')`,
        [turnId, tenantId, id, creatorId, principal],
      );
      return { id, turnId };
    },

    async startAnother() {
      const address = await start();
      others.push(address);
      return address;
    },

    stopFirst: async () => {
      await running[0]?.close();
    },

    async close() {
      await Promise.all(running.map((lifecycle) => lifecycle.close()));
      await store.close();
      await Promise.all([database.drop(), redis.stop()]);
    },
  };
}
