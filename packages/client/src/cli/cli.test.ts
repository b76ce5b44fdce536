import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type DeadTurnDetailView, ProblemError } from '@sidestage/contracts';
import { runCli } from './cli.js';
import { readEnvironment } from './config.js';

const operator = { email: 'operator@example.org', password: 'of this test' };
const session = {
  access_token: 'the token',
  refresh_token: 'x',
  token_type: 'Bearer',
  expires_in: 900,
  user: { id: 'o', email: operator.email, display_name: 'O', role: 'operator', tier: 'free' },
};

/** Answers as the gateway does, from a list of dead turns. */
async function startGateway() {
  const turns = new Map<string, DeadTurnDetailView>();
  const seen: string[] = [];
  const state = { busy: 0, role: 'operator' };

  function answer(request: IncomingMessage, body: string): { status: number; body?: unknown; retryAfter?: string } {
    const url = new URL(request.url ?? '', 'http://gateway');
    seen.push(`${request.method} ${url.pathname}${url.search}`);
    const refuse = (code: ConstructorParameters<typeof ProblemError>[0], detail?: string) => {
      const problem = new ProblemError(code, detail === undefined ? {} : { detail }).toProblem();
      return { status: problem.status, body: problem };
    };
    if (url.pathname === '/api/v1/auth/login') {
      const given = JSON.parse(body) as typeof operator;
      return given.password === operator.password ? { status: 200, body: session } : refuse('invalid_credentials');
    }
    if (request.headers.authorization !== 'Bearer the token') return refuse('token_expired', 'Sign in again.');
    if (state.role !== 'operator') return refuse('forbidden', 'This needs the role operator; yours is fan.');
    if (state.busy-- > 0) return { ...refuse('quota_exceeded'), retryAfter: '0' };
    const [, id, act] = /^\/api\/v1\/admin\/dead-turns(?:\/([^/]+))?(?:\/(\w+))?$/.exec(url.pathname) ?? [];
    if (id === undefined) {
      const all = [...turns.values()].filter(({ tenant_id }) =>
        [null, tenant_id].includes(url.searchParams.get('tenant_id')),
      );
      const from = Number(url.searchParams.get('cursor') ?? 0);
      const to = from + Number(url.searchParams.get('limit'));
      const items = all.slice(from, to).map(({ message: _words, video_url: _url, ...turn }) => turn);
      return { status: 200, body: { items, next_cursor: to < all.length ? String(to) : null } };
    }
    const turn = turns.get(id);
    if (!turn) return refuse('not_found', 'There is no such dead turn.');
    if (request.method === 'GET') return { status: 200, body: turn };
    turns.delete(id);
    if (act !== 'retry') return { status: 204 };
    const deadline_at = '2026-11-21T20:00:00.123Z';
    return { status: 202, body: { id, conversation_id: 'c', status: 'queued', deadline_at } };
  }

  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const { status, body: said, retryAfter } = answer(request, body);
    response.writeHead(status, {
      'Content-Type': 'application/json',
      ...(retryAfter && { 'Retry-After': retryAfter }),
    });
    response.end(said === undefined ? undefined : JSON.stringify(said));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    turns,
    seen,
    state,
    add(id: string, fields: Partial<DeadTurnDetailView> = {}) {
      turns.set(id, {
        id,
        tenant_id: 't1',
        creator_id: 'ada',
        conversation_id: 'c',
        principal: 'user:1',
        tier: 'free',
        crashes: 5,
        failures: 0,
        accepted_at: '2026-11-21T19:00:00.000Z',
        ended_at: '2026-11-21T19:01:00.000Z',
        request_id: 'r',
        reason: { type: '', title: '', status: 500, code: 'internal', detail: 'set aside: 5 workers stopped' },
        message: 'the words',
        video_url: null,
        ...fields,
      });
    },
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}

let gateway: Awaited<ReturnType<typeof startGateway>>;
let folder: string;

beforeEach(async () => {
  gateway = await startGateway();
  folder = mkdtempSync(join(tmpdir(), 'sidestage-cli-'));
});
afterEach(async () => {
  await gateway.close();
  rmSync(folder, { recursive: true });
});

function writeDemo(fields: Record<string, unknown> = {}): void {
  mkdirSync(join(folder, '.sidestage'), { recursive: true });
  writeFileSync(join(folder, '.sidestage/demo.json'), JSON.stringify({ gateway: gateway.url, operator, ...fields }));
}

async function run(line: string, variables: Record<string, string> = {}, at = folder) {
  const out: string[] = [];
  const errors: string[] = [];
  const code = await runCli(line.split(' ').filter(Boolean), {
    environment: readEnvironment(variables),
    folder: at,
    print: (text) => out.push(text),
    warn: (text) => errors.push(text),
    status: () => undefined,
  });
  return { code, out: out.join('\n'), errors: errors.join('\n') };
}

describe('sidestage dead', () => {
  test('ls shows ids and reasons as the operator of the demo, found from any folder below', async () => {
    writeDemo();
    gateway.add('turn-1');
    gateway.add('turn-2', { tenant_id: 't2' });
    mkdirSync(join(folder, 'a/b'), { recursive: true });
    const { code, out, errors } = await run('dead ls', {}, join(folder, 'a/b'));
    expect([code, errors]).toEqual([0, '']);
    expect(out).toMatch(/turn-1 .*5 workers stopped/);
    expect((await run('dead ls --tenant t2')).out).not.toContain('turn-1');
    expect(JSON.parse((await run('dead ls --json')).out).items).toHaveLength(2);
    gateway.turns.clear();
    expect(await run('dead ls')).toEqual({ code: 0, out: 'No dead turns.', errors: '' });
  });

  test('ls pages up to the limit and says when there are more', async () => {
    writeDemo();
    for (let n = 0; n < 250; n++) gateway.add(`turn-${n}`);
    const some = await run('dead ls --limit 120 --json');
    expect(JSON.parse(some.out).items).toHaveLength(120);
    const fewer = await run('dead ls --limit 2');
    expect(fewer.errors).toContain('more than 2');
    expect((await run('dead ls --limit 0')).code).toBe(2);
    expect((await run('dead ls --limit some')).errors).toContain('--limit must be a whole number');
  });

  test('show gives the message, and lets it do nothing to the terminal', async () => {
    writeDemo();
    gateway.add('turn-1', { message: 'hello\n\u001b]52;c;ZXZpbA==\u0007there \u202egnp.exe' });
    const { code, out } = await run('dead show turn-1');
    expect(code).toBe(0);
    expect(out).toContain('hello\n\\u001b]52;c;ZXZpbA==\\u0007there \\u202egnp.exe');
    expect(await run('dead show nothing')).toMatchObject({
      code: 1,
      errors: expect.stringContaining('no such dead turn'),
    });
    expect((await run('dead show')).code).toBe(2);
  });

  test('retry and drop tell of each id, go on after one that is refused, and exit with 1 then', async () => {
    writeDemo();
    for (const id of ['one', 'two', 'three']) gateway.add(id);
    const retried = await run('dead retry one gone two');
    expect(retried.code).toBe(1);
    expect(retried.out).toMatch(/^one {2}queued again.*\ntwo {2}queued again/);
    expect(retried.errors).toContain('gone  There is no such dead turn.');
    expect(await run('dead drop three')).toEqual({ code: 0, out: 'three  dropped', errors: '' });
    expect([...gateway.turns.keys()]).toEqual([]);
  });

  test('retry --all takes every page, of one tenant where it is named, and waits where it is told to', async () => {
    writeDemo();
    for (let n = 0; n < 130; n++) gateway.add(`turn-${n}`, { tenant_id: n < 110 ? 't1' : 't2' });
    gateway.state.busy = 2;
    expect((await run('dead retry --all --tenant t1')).code).toBe(0);
    expect(gateway.turns.size).toBe(20);
    const rest = await run('dead retry --all --json');
    expect(JSON.parse(rest.out).items).toHaveLength(20);
    expect(await run('dead retry --all')).toMatchObject({ code: 0, out: 'No dead turns.' });
    for (const line of ['dead retry', 'dead retry --all one', 'dead retry one --tenant t1'])
      expect((await run(line)).code).toBe(2);
  });
});

describe('sidestage', () => {
  test('explains itself, each command too, without asking anybody', async () => {
    for (const line of ['', '--help', 'help', 'dead --help', 'dead retry --help'])
      expect(await run(line)).toMatchObject({ code: 0, out: expect.stringContaining('SIDESTAGE_URL') });
    expect(await run('dead')).toMatchObject({ code: 2, out: expect.stringContaining('dead retry <id>') });
    expect(await run('dead burry x')).toMatchObject({ code: 2, errors: expect.stringContaining('dead drop') });
    expect(await run('live')).toMatchObject({ code: 2, errors: expect.stringContaining('"live"') });
    expect(await run('dead ls --tenants x')).toMatchObject({ code: 2, errors: expect.stringContaining('--tenants') });
    expect(gateway.seen).toEqual([]);
  });

  test('takes address and account from the environment, a token too, the flag before both', async () => {
    gateway.add('turn-1');
    const account = { SIDESTAGE_EMAIL: operator.email, SIDESTAGE_PASSWORD: operator.password };
    expect((await run('dead ls', { SIDESTAGE_URL: gateway.url, ...account })).out).toContain('turn-1');
    const token = { SIDESTAGE_URL: 'http://127.0.0.1:1', SIDESTAGE_TOKEN: 'the token' };
    expect((await run(`dead ls --url ${gateway.url}/`, token)).out).toContain('turn-1');
    expect(gateway.seen.filter((line) => line.includes('login'))).toHaveLength(1);
  });

  test('names what is wrong and the way out, with 3 for whoever is not let in', async () => {
    const cases: [string, Record<string, string>, RegExp][] = [
      ['dead ls', {}, /demo\.json.*SIDESTAGE_EMAIL/],
      ['dead ls', { SIDESTAGE_EMAIL: 'a@b.c' }, /SIDESTAGE_PASSWORD is not set/],
      [
        'dead ls',
        { SIDESTAGE_URL: 'http://127.0.0.1:1', SIDESTAGE_TOKEN: 'x' },
        /cannot reach.*npm start.*SIDESTAGE_URL/,
      ],
      ['dead ls', { SIDESTAGE_URL: gateway.url, SIDESTAGE_TOKEN: 'x' }, /SIDESTAGE_TOKEN.*15 minutes/],
      [
        'dead ls',
        { SIDESTAGE_URL: gateway.url, SIDESTAGE_EMAIL: operator.email, SIDESTAGE_PASSWORD: 'wrong' },
        /does not sign in operator@example.org.*wrong/,
      ],
    ];
    for (const [line, variables, message] of cases) {
      const { code, errors } = await run(line, variables);
      expect([line, code, errors]).toEqual([line, 3, expect.stringMatching(message)]);
    }
    expect((await run('dead ls --url nowhere')).code).toBe(2);
    gateway.state.role = 'fan';
    writeDemo();
    expect(await run('dead ls')).toMatchObject({ code: 3, errors: expect.stringContaining('of an operator') });
  });

  test('sends the demo’s password to no other fleet', async () => {
    writeDemo();
    const { code, errors } = await run('dead ls --url http://gateway.example');
    expect([code, errors]).toEqual([3, expect.stringContaining('another fleet')]);
    writeFileSync(join(folder, '.sidestage/demo.json'), '{}');
    expect(await run('dead ls')).toMatchObject({ code: 3, errors: expect.stringContaining('no gateway and operator') });
  });
});
