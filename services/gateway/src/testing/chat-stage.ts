import type { Tier } from '@sidestage/contracts';
import { makeId } from '@sidestage/runtime';
import { makeApiKey, makeApiKeyRepository } from '@sidestage/store';
import { type Script, startScriptedWorker } from './scripted-worker.js';
import { type Answer, type CallOptions, startTestGateway } from './test-gateway.js';

export interface Fan {
  token: string;
  /** `user:<id>` */
  principal: string;
  userId: string;
}

/** Two gateways on one database and one Redis, a scripted worker, a creator to talk to. */
export async function makeChatStage(variables: Record<string, string> = {}) {
  const gateway = await startTestGateway(variables);
  const other = await gateway.startAnother();
  const worker = startScriptedWorker({ redisUrl: gateway.redis.url, database: gateway.store });
  const { tenantId } = gateway.home;
  const creatorId = makeId();
  await gateway.database.query(`INSERT INTO creators (id, tenant_id, slug, name) VALUES ($1, $2, 'ada', 'Ada')`, [
    creatorId,
    tenantId,
  ]);

  async function fan(): Promise<Fan> {
    const session = await gateway.signIn('fan');
    return { token: session.access_token, principal: `user:${session.user.id}`, userId: session.user.id };
  }

  function chat<Body = Record<string, unknown>>(
    who: { token: string },
    body: Record<string, unknown>,
    options: CallOptions & { at?: string } = {},
  ): Promise<Answer<Body>> {
    const { at = gateway.url, ...rest } = options;
    return gateway.call<Body>('POST', `${at}/api/v1/chat`, {
      ...rest,
      token: who.token,
      body: { creator_id: 'ada', message: 'hello', ...body },
    });
  }

  /** The raw response, for streams. */
  function stream(
    who: { token: string },
    body: Record<string, unknown>,
    options: { at?: string; headers?: Record<string, string>; signal?: AbortSignal } = {},
  ): Promise<Response> {
    return fetch(`${options.at ?? gateway.url}/api/v1/chat`, {
      method: 'POST',
      headers: {
        Authorization: `Bearer ${who.token}`,
        'Content-Type': 'application/json',
        Accept: 'text/event-stream',
        ...options.headers,
      },
      body: JSON.stringify({ creator_id: 'ada', message: 'hello', ...body }),
      signal: options.signal ?? null,
    });
  }

  return {
    gateway,
    /** The second gateway's address. */
    other,
    url: gateway.url,
    worker,
    stopFirst: () => gateway.stopFirst(),
    use: (script: Script) => worker.use(script),
    tenantId,
    creatorId,
    fan,
    chat,
    stream,
    async key(tier: Tier): Promise<{ token: string; principal: string }> {
      const { key, hash, prefix } = makeApiKey();
      const row = await makeApiKeyRepository(gateway.store).create({
        tenant_id: tenantId,
        name: 'test',
        tier,
        hash,
        prefix,
        actor: 'system',
      });
      return { token: key, principal: `key:${row.id}` };
    },
    turns: () =>
      gateway.database.query<{
        id: string;
        state: string;
        outcome: string | null;
        conversation_id: string;
        message: string;
      }>('SELECT id, state, outcome, conversation_id, message FROM turns ORDER BY accepted_at, ordinal'),
    async close() {
      await worker.close();
      await gateway.close();
    },
  };
}
export type ChatStage = Awaited<ReturnType<typeof makeChatStage>>;
