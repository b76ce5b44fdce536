import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { platformOperations } from '../openapi/document.js';
import type { Operation } from '../openapi/operation.js';
import { type Answer, startTestGateway, type TestGateway } from '../testing/test-gateway.js';
import type { ProblemView } from '../testing/wire.js';

let gateway: TestGateway;
let creator: string;
let source: string;
let operator: string;
let tenant: string;

beforeAll(async () => {
  gateway = await startTestGateway();
  tenant = gateway.home.tenantId;
  const token = gateway.home.key;
  const made = await gateway.call<{ id: string }>('POST', '/api/v1/creators', { token, body: { name: 'Ada' } });
  creator = made.body.id;
  const fed = await gateway.call<{ id: string }>('POST', `/api/v1/creators/${creator}/sources`, {
    token,
    body: { title: 'One', kind: 'article', format: 'text', content: 'Some words.' },
  });
  source = fed.body.id;
  operator = (await gateway.signIn('operator')).access_token;
});
afterAll(() => gateway.close());

const session = { email: 'a@example.org', password: 'correct horse' };
/** A body each operation would take, apart from the field that is spoilt. */
const good: Record<string, Record<string, unknown>> = {
  'post /api/v1/auth/register': { ...session, display_name: 'Ada', role: 'fan' },
  'post /api/v1/auth/login': { ...session, guest_refresh_token: 'x'.repeat(43) },
  'post /api/v1/auth/refresh': { refresh_token: 'x'.repeat(43) },
  'post /api/v1/auth/logout': { refresh_token: 'x'.repeat(43) },
  'patch /api/v1/me': { display_name: 'Ada', locale: 'en' },
  'post /api/v1/keys': { name: 'mine', tier: 'free' },
  'post /api/v1/admin/tenants': { name: 'New' },
  'put /api/v1/admin/tenants/{id}/policy': { tenant: { per_minute: 10 }, tiers: { free: { weight: 2 } } },
  'post /api/v1/creators': {
    name: 'New',
    slug: 'new',
    description: '',
    persona: '',
    language: 'en',
    public: true,
    avatar_url: 'https://example.org/a.png',
    questions: ['Why?'],
  },
  'patch /api/v1/creators/{id}': { name: 'New', persona: 'Dry.', public: true },
  'post /api/v1/creators/{id}/search': { query: 'words', limit: 5 },
  'post /api/v1/creators/{id}/sources': {
    title: 'Two',
    kind: 'article',
    url: 'https://example.org/',
    published_at: '2026-01-01T00:00:00Z',
    format: 'text',
    content: 'Words.',
  },
  'put /api/v1/creators/{id}/sources/{source_id}': { title: 'Two', content: 'Words.' },
};

const spoilt: [string, (value: unknown) => string][] = [
  ['a wrong type', (value) => JSON.stringify(typeof value === 'object' ? 7 : { no: 'such' })],
  ['null', () => 'null'],
  ['a number beyond all', () => '1e999'],
  ['a NUL', () => '"an e-mail\\u0000@example.org and more"'],
  ['a lone surrogate', () => '"\\ud800 and so on and on"'],
  ['too much', () => JSON.stringify('y'.repeat(9_000))],
  ['a deep list', () => `${'['.repeat(60)}${']'.repeat(60)}`],
];

function addressOf({ path }: Operation): string {
  const id = path.startsWith('/api/v1/admin') ? tenant : creator;
  return path.replace('{id}', id).replace('{source_id}', source);
}

async function tokenFor({ path }: Operation): Promise<string | undefined> {
  if (path.startsWith('/api/v1/auth')) return undefined;
  if (path.startsWith('/api/v1/admin')) return operator;
  if (path === '/api/v1/me') return (await gateway.signIn('fan')).access_token;
  return (await gateway.makeKey(tenant)).key;
}

async function countRows(): Promise<unknown> {
  const tables = ['tenants', 'users', 'refresh_tokens', 'api_keys', 'creators', 'sources', 'source_contents', 'audit'];
  const [row] = await gateway.database.query(
    `SELECT ${tables.map((table) => `(SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM ${table} t) AS ${table}`)}`,
  );
  return row;
}

function expectProblem(answer: Answer<ProblemView>, statuses: number[]): void {
  expect(statuses).toContain(answer.status);
  expect(answer.headers.get('content-type')).toBe('application/problem+json');
  expect(answer.body.request_id).toBe(answer.headers.get('x-request-id'));
  expect(answer.body.status).toBe(answer.status);
}

const withBody = platformOperations.filter(({ body }) => body);
describe('bad input', () => {
  for (const operation of withBody) {
    const name = `${operation.method} ${operation.path}`;
    const fields = Object.entries(good[name] ?? {});

    test(`at ${name} is refused, naming the field, and nothing is written`, async () => {
      const token = await tokenFor(operation);
      const headers = { 'Content-Type': 'application/json' };
      const send = (raw: string, type = headers) =>
        gateway.call<ProblemView>(operation.method.toUpperCase(), addressOf(operation), { raw, token, headers: type });
      await send('{}');
      const before = await countRows();

      for (const [field, value] of fields) {
        for (const [what, spoil] of spoilt) {
          if (['content', 'persona'].includes(field) && what === 'too much') continue;
          const rest = fields
            .filter(([other]) => other !== field)
            .map(([key, kept]) => `${JSON.stringify(key)}:${JSON.stringify(kept)}`);
          const answer = await send(`{${[...rest, `${JSON.stringify(field)}:${spoil(value)}`].join(',')}}`);
          expect({ field, what, status: answer.status, path: answer.body.errors?.[0]?.path.split('.')[0] }).toEqual({
            field,
            what,
            status: 422,
            path: field,
          });
          expectProblem(answer, [422]);
        }
      }
      expectProblem(await send('{"a":'), [400]);
      expectProblem(await send(`${'{"a":'.repeat(70)}1${'}'.repeat(70)}`), [400]);
      expectProblem(await send('[]'), [422]);
      expectProblem(await send('"text"'), [422]);
      expectProblem(await send('a=b', { 'Content-Type': 'application/x-www-form-urlencoded' }), [415]);
      if (!operation.upload) expectProblem(await send(JSON.stringify({ a: 'y'.repeat(70_000) })), [413]);
      expect(await countRows()).toEqual(before);
    });
  }

  test('in the query of a list is refused, naming the parameter', async () => {
    for (const { path, query } of platformOperations.filter((operation) => operation.query)) {
      if (path.startsWith('/api/v1/conversations/')) continue;
      const token = path.startsWith('/api/v1/admin') ? operator : gateway.home.key;
      const address = path.replace('{id}', creator);
      const tries: [string, string][] = [
        ['limit', 'many'],
        ['limit', '0'],
        ['limit', '101'],
        ['limit', '1.5'],
        ['cursor', 'nonsense'],
        ['cursor', Buffer.from('["2026-01-01 00:00:00+00","not an id"]').toString('base64url')],
        ['cursor', Buffer.from('{"a":1}').toString('base64url')],
      ];
      if (query && 'q' in query.shape) tries.push(['q', '\u0000'], ['q', 'y'.repeat(300)]);
      if (query && 'user_id' in query.shape) tries.push(['user_id', 'a b'], ['user_id', '']);
      for (const [name, value] of tries) {
        const answer = await gateway.call<ProblemView>('GET', `${address}?${new URLSearchParams({ [name]: value })}`, {
          token,
        });
        expectProblem(answer, [422]);
        expect({ address, name, path: answer.body.errors?.[0]?.path }).toEqual({ address, name, path: name });
      }
    }
  });

  test('in the address itself is a 400 or a 404', async () => {
    for (const [path, status] of [
      ['/api/v1/creators/%', 400],
      ['/api/v1/creators/%ff', 400],
      ['/api/v1/nothing', 404],
      ['/api/v1/creators/%00', 404],
    ] as const) {
      expectProblem(await gateway.call<ProblemView>('GET', path, { token: gateway.home.key }), [status]);
    }
  });

  test('by method is a 405 that says which are allowed', async () => {
    for (const path of new Set(platformOperations.map((operation) => operation.path))) {
      const address = path.replace('{id}', creator).replace('{source_id}', source);
      const answer = await gateway.call<ProblemView>('OPTIONS', address, { token: gateway.home.key });
      expect(answer.status).toBe(204);
      const wrong = await gateway.call<ProblemView>('PROPFIND', address, { token: gateway.home.key });
      expectProblem(wrong, [405]);
      expect(wrong.headers.get('allow')).toMatch(/OPTIONS/);
    }
  });

  test('has an operation that takes a body for each body in this table', () => {
    const names = withBody.map(({ method, path }) => `${method} ${path}`);
    expect(Object.keys(good).filter((name) => !names.includes(name))).toEqual([]);
    expect(names.filter((name) => !(name in good) && name !== 'post /api/v1/auth/guest')).toEqual([]);
  });
});
