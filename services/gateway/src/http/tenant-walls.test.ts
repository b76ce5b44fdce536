import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { platformOperations } from '../openapi/document.js';
import { startTestGateway, type TestGateway } from '../testing/test-gateway.js';
import type { ProblemView } from '../testing/wire.js';

interface Belongings {
  creator: string;
  source: string;
  conversation: string;
  key: string;
}
let gateway: TestGateway;
let theirs: Belongings;
let theirFan: string;
/** Every kind of credential another tenant can have. */
let strangers: Record<string, string>;

beforeAll(async () => {
  gateway = await startTestGateway();
  const { tenantId, key } = gateway.home;
  const creator = await gateway.call<{ id: string }>('POST', '/api/v1/creators', {
    token: key,
    body: { name: 'Theirs', slug: 'theirs' },
  });
  const source = await gateway.call<{ id: string }>('POST', `/api/v1/creators/${creator.body.id}/sources`, {
    token: key,
    body: { title: 'One', kind: 'article', format: 'text', content: 'Some words.' },
  });
  const fan = await gateway.signIn('fan');
  theirFan = fan.access_token;
  const conversation = await gateway.makeConversation({
    tenantId,
    creatorId: creator.body.id,
    principal: `user:${fan.user.id}`,
  });
  theirs = {
    creator: creator.body.id,
    source: source.body.id,
    conversation: conversation.id,
    key: (await gateway.makeKey(tenantId)).id,
  };
  const other = await gateway.makeTenant('other');
  const [otherFan, otherCreator, otherOperator] = await Promise.all([
    gateway.signIn('fan', other.tenantId),
    gateway.signIn('creator', other.tenantId),
    gateway.signIn('operator', other.tenantId),
  ]);
  strangers = {
    integrator: other.key,
    fan: otherFan.access_token,
    creator: otherCreator.access_token,
    operator: otherOperator.access_token,
  };
});
afterAll(() => gateway.close());

const bodies: Record<string, unknown> = {
  'patch /api/v1/creators/{id}': { name: 'Mine now' },
  'post /api/v1/creators/{id}/search': { query: 'words' },
  'post /api/v1/creators/{id}/sources': { title: 'Two', kind: 'article', format: 'text', content: 'Poison.' },
  'put /api/v1/creators/{id}/sources/{source_id}': { content: 'Poison.' },
};
/** Operators run the whole fleet, so these reach every tenant. */
const acrossTenants = (path: string) => path.startsWith('/api/v1/admin/');
const withIds = platformOperations.filter(({ path }) => path.includes('{') && !acrossTenants(path));

function addressOf(path: string, ids: Belongings, creator = ids.creator): string {
  if (path.startsWith('/api/v1/creators')) return path.replace('{id}', creator).replace('{source_id}', ids.source);
  if (path.startsWith('/api/v1/sources')) return path.replace('{id}', ids.source);
  if (path.startsWith('/api/v1/keys')) return path.replace('{id}', ids.key);
  return path.replace('{id}', ids.conversation);
}

async function everything(): Promise<string> {
  const tables = ['creators', 'sources', 'source_contents', 'conversations', 'turns', 'api_keys', 'users', 'audit'];
  const rows = await Promise.all(
    tables.map((table) => gateway.database.query(`SELECT * FROM ${table} t ORDER BY t::text`)),
  );
  return JSON.stringify(rows, (name, value) => (name === 'last_used_at' ? null : value));
}

describe('another tenant', () => {
  for (const { method, path } of withIds) {
    test(`finds nothing at ${method} ${path}, and changes nothing`, async () => {
      const before = await everything();
      for (const [kind, token] of Object.entries(strangers)) {
        for (const creator of [theirs.creator, 'theirs']) {
          const body = bodies[`${method} ${path}`];
          const answer = await gateway.call<ProblemView>(method.toUpperCase(), addressOf(path, theirs, creator), {
            token,
            body,
          });
          // Keys are no business of fans and creators at all, whoever's they are.
          const expected = path.startsWith('/api/v1/keys') && !['integrator', 'operator'].includes(kind) ? 403 : 404;
          expect({ kind, status: answer.status }).toEqual({ kind, status: expected });
        }
      }
      expect(await everything()).toBe(before);
    });

    test(`finds nothing at ${method} ${path} with an id that is none`, async () => {
      for (const id of ['nothing', '%00', '..%2F..', 'ä'.repeat(300), '1; DROP TABLE users']) {
        const address = path.replace(/\{\w+\}/g, encodeURI(id));
        const answer = await gateway.call(method.toUpperCase(), address, {
          token: gateway.home.key,
          body: bodies[`${method} ${path}`],
        });
        expect({ id, status: answer.status }).toEqual({ id, status: 404 });
      }
    });
  }

  test('sees nothing of ours in its lists', async () => {
    for (const token of Object.values(strangers)) {
      for (const path of ['/api/v1/creators', '/api/v1/conversations']) {
        const { body } = await gateway.call<{ items: unknown[] }>('GET', path, { token });
        expect(body.items).toEqual([]);
      }
    }
    const { body } = await gateway.call<{ items: { id: string }[] }>('GET', '/api/v1/keys', {
      token: strangers.integrator,
    });
    expect(body.items.map((item) => item.id)).not.toContain(theirs.key);
  });
});

describe('within a tenant', () => {
  test('a conversation is read by its fan and the creator’s owner, and by nobody else', async () => {
    const [stranger, owner] = await Promise.all([gateway.signIn('fan'), gateway.signIn('creator')]);
    const mine = await gateway.call<{ id: string }>('POST', '/api/v1/creators', {
      token: owner.access_token,
      body: { name: 'Owned' },
    });
    const fan = await gateway.signIn('fan');
    const { id } = await gateway.makeConversation({
      tenantId: gateway.home.tenantId,
      creatorId: mine.body.id,
      principal: `user:${fan.user.id}`,
    });
    const read = (token: string) =>
      gateway.call<{ items: { text: string; feedback_comment?: string }[] }>(
        'GET',
        `/api/v1/conversations/${id}/messages`,
        { token },
      );
    const byFan = await read(fan.access_token);
    expect(byFan.body.items.map((item) => item.text)).toEqual(['Hello', 'Hi there']);
    expect(byFan.body.items[1]?.feedback_comment).toBeUndefined();
    expect((await read(owner.access_token)).body.items[1]?.feedback_comment).toBe('so kind');
    expect((await read(stranger.access_token)).status).toBe(404);
    expect((await read(gateway.home.key)).status).toBe(404);
    const list = (token: string) =>
      gateway.call<{ items: { id: string; feedback: unknown }[] }>(
        'GET',
        `/api/v1/creators/${mine.body.id}/conversations`,
        { token },
      );
    expect((await list(owner.access_token)).body.items).toMatchObject([{ id, feedback: { up: 1, down: 0 } }]);
    expect((await list(stranger.access_token)).status).toBe(403);
    const remove = (token: string) => gateway.call('DELETE', `/api/v1/conversations/${id}`, { token });
    expect((await remove(owner.access_token)).status).toBe(403);
    expect((await remove(fan.access_token)).status).toBe(204);
    expect((await read(fan.access_token)).status).toBe(404);
  });

  test('a creator is changed by its owner, an integrator and an operator, and a private one is seen by them only', async () => {
    const [owner, other, operator] = await Promise.all([
      gateway.signIn('creator'),
      gateway.signIn('creator'),
      gateway.signIn('operator'),
    ]);
    const made = await gateway.call<{ id: string }>('POST', '/api/v1/creators', {
      token: owner.access_token,
      body: { name: 'Shy', public: false },
    });
    const path = `/api/v1/creators/${made.body.id}`;
    const see = (token?: string) => gateway.call('GET', path, { token });
    for (const token of [owner.access_token, operator.access_token, gateway.home.key]) {
      expect((await see(token)).status).toBe(200);
      expect((await gateway.call('PATCH', path, { token, body: { persona: 'Dry.' } })).status).toBe(200);
    }
    for (const token of [undefined, other.access_token, theirFan]) expect((await see(token)).status).toBe(404);
    await gateway.call('PATCH', path, { token: owner.access_token, body: { public: true } });
    expect((await gateway.call('PATCH', path, { token: other.access_token, body: { name: 'Mine' } })).status).toBe(403);
    expect((await gateway.call('POST', '/api/v1/creators', { token: theirFan, body: { name: 'Me' } })).status).toBe(
      403,
    );
  });
});
