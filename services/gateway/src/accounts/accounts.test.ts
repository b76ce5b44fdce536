import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startTestGateway, type TestGateway } from '../testing/test-gateway.js';
import type { ProblemView, SessionView } from '../testing/wire.js';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(() => gateway.close());

let number = 0;
const fresh = () => ({ email: `fan${++number}@example.org`, password: 'correct horse battery' });
const auth = <Body = SessionView>(route: string, body: unknown, token?: string) =>
  gateway.call<Body>('POST', `/api/v1/auth/${route}`, { body, token });
const me = (token: string) => gateway.call('GET', '/api/v1/me', { token });

async function makeCreator(): Promise<string> {
  const { body } = await gateway.call<{ id: string }>('POST', '/api/v1/creators', {
    body: { name: 'Ada' },
    token: gateway.home.key,
  });
  return body.id;
}

describe('signing up and in', () => {
  test('an account is made with what was asked, and signs in again by any case of its e-mail address', async () => {
    const account = fresh();
    const registered = await auth('register', { ...account, display_name: 'Ada', role: 'creator' });
    expect(registered.status).toBe(201);
    expect(registered.body).toMatchObject({ token_type: 'Bearer', expires_in: 900 });
    expect(registered.body.user).toMatchObject({
      email: account.email,
      display_name: 'Ada',
      role: 'creator',
      tier: 'free',
    });
    const loggedIn = await auth('login', { ...account, email: account.email.toUpperCase() });
    expect(loggedIn.status).toBe(200);
    expect((await me(loggedIn.body.access_token)).body).toMatchObject({ id: registered.body.user.id, guest: false });
  });

  test('a second account of the same e-mail address is a conflict that names the field', async () => {
    const account = fresh();
    await auth('register', account);
    const again = await auth<ProblemView>('register', account);
    expect(again.status).toBe(409);
    expect(again.body.errors?.[0]?.path).toBe('email');
  });

  test('a wrong password and an unknown e-mail address are told apart by nothing', async () => {
    const account = fresh();
    await auth('register', account);
    const wrong = await auth<ProblemView>('login', { ...account, password: 'wrong password' });
    const unknown = await auth<ProblemView>('login', fresh());
    expect(wrong.status).toBe(401);
    expect(unknown.status).toBe(401);
    expect({ ...wrong.body, request_id: '' }).toEqual({ ...unknown.body, request_id: '' });
  });

  test('nobody makes himself an operator', async () => {
    expect((await auth('register', { ...fresh(), role: 'operator' })).status).toBe(422);
  });

  test('passwords and refresh tokens are not stored as they are', async () => {
    const account = fresh();
    const { body } = await auth('register', account);
    const rows = await gateway.database.query('SELECT * FROM users u JOIN refresh_tokens r ON r.user_id = u.id');
    const dump = JSON.stringify(rows);
    expect(dump).not.toContain(account.password);
    expect(dump).not.toContain(body.refresh_token);
    expect(dump).toContain('$argon2id$');
  });
});

describe('a login', () => {
  test('goes on by exchanging refresh tokens', async () => {
    const first = (await auth('register', fresh())).body;
    const second = await auth('refresh', { refresh_token: first.refresh_token });
    expect(second.status).toBe(200);
    expect(second.body.refresh_token).not.toBe(first.refresh_token);
    const third = await auth('refresh', { refresh_token: second.body.refresh_token });
    expect((await me(third.body.access_token)).status).toBe(200);
  });

  test('ends everywhere when a refresh token is used twice', async () => {
    const other = await gateway.startAnother();
    const first = (await auth('register', fresh())).body;
    const second = (await auth('refresh', { refresh_token: first.refresh_token })).body;
    const reused = await auth<ProblemView>('refresh', { refresh_token: first.refresh_token });
    expect(reused.status).toBe(401);
    expect(reused.body.code).toBe('token_reused');
    expect((await auth('refresh', { refresh_token: second.refresh_token })).status).toBe(401);
    expect((await me(second.access_token)).status).toBe(401);
    const end = Date.now() + 5_000;
    let elsewhere = 200;
    while (elsewhere !== 401 && Date.now() < end) {
      elsewhere = (await gateway.call('GET', `${other}/api/v1/me`, { token: second.access_token })).status;
    }
    expect(elsewhere).toBe(401);
  });

  test('of two exchanges at once one wins, and the other ends the login', async () => {
    const { refresh_token } = (await auth('register', fresh())).body;
    const answers = await Promise.all([auth('refresh', { refresh_token }), auth('refresh', { refresh_token })]);
    expect(answers.map((answer) => answer.status).sort()).toEqual([200, 401]);
  });

  test('ends with logout, for its access token too', async () => {
    const session = (await auth('register', fresh())).body;
    const out = await auth('logout', { refresh_token: session.refresh_token });
    expect(out.status).toBe(204);
    expect((await auth('refresh', { refresh_token: session.refresh_token })).status).toBe(401);
    expect((await me(session.access_token)).status).toBe(401);
  });

  test('of another device stays when one signs out', async () => {
    const account = fresh();
    const phone = (await auth('register', account)).body;
    const laptop = (await auth('login', account)).body;
    await auth('logout', { refresh_token: phone.refresh_token });
    expect((await me(laptop.access_token)).status).toBe(200);
    expect((await auth('refresh', { refresh_token: laptop.refresh_token })).status).toBe(200);
  });
});

describe('a guest', () => {
  test('lives a day, of the free tier, without an e-mail address', async () => {
    const { status, body } = await auth('guest', {});
    expect(status).toBe(201);
    expect(body.user).toMatchObject({ email: null, role: 'fan', tier: 'free' });
    const [row] = await gateway.database.query<{ hours: number }>(
      'SELECT extract(epoch FROM expires_at - created_at) / 3600 AS hours FROM users WHERE id = $1',
      [body.user.id],
    );
    expect(Number(row?.hours)).toBeCloseTo(24, 1);
  });

  test('keeps its conversations when it becomes an account', async () => {
    const guest = (await auth('guest', {})).body;
    const creatorId = await makeCreator();
    const principal = `user:${guest.user.id}`;
    await gateway.makeConversation({ tenantId: gateway.home.tenantId, creatorId, principal });
    const account = fresh();
    const upgraded = await auth('register', account, guest.access_token);
    expect(upgraded.status).toBe(201);
    expect(upgraded.body.user.id).toBe(guest.user.id);
    const list = await gateway.call<{ items: unknown[] }>('GET', '/api/v1/conversations', {
      token: upgraded.body.access_token,
    });
    expect(list.body.items).toHaveLength(1);
    expect((await auth('register', fresh(), guest.access_token)).status).toBe(409);
  });

  test('hands its conversations to the account that signs in, and ends', async () => {
    const account = fresh();
    await auth('register', account);
    const guest = (await auth('guest', {})).body;
    const creatorId = await makeCreator();
    const principal = `user:${guest.user.id}`;
    await gateway.makeConversation({ tenantId: gateway.home.tenantId, creatorId, principal });
    const session = (await auth('login', { ...account, guest_refresh_token: guest.refresh_token })).body;
    const list = await gateway.call<{ items: unknown[] }>('GET', '/api/v1/conversations', {
      token: session.access_token,
    });
    expect(list.body.items).toHaveLength(1);
    expect((await me(guest.access_token)).status).toBe(401);
  });

  test('an account cannot be swallowed by presenting its refresh token as a guest’s', async () => {
    const victim = (await auth('register', fresh())).body;
    const account = fresh();
    await auth('register', account);
    await auth('login', { ...account, guest_refresh_token: victim.refresh_token });
    expect((await me(victim.access_token)).status).toBe(200);
  });

  test('is refused where guests are not admitted', async () => {
    const strict = await startTestGateway({ GUESTS: 'false' });
    try {
      expect((await strict.call('POST', '/api/v1/auth/guest', { body: {} })).status).toBe(403);
    } finally {
      await strict.close();
    }
  });
});

describe('a profile', () => {
  test('is changed field by field', async () => {
    const { access_token } = (await auth('register', fresh())).body;
    const changed = await gateway.call('PATCH', '/api/v1/me', { token: access_token, body: { locale: 'de-CH' } });
    expect(changed.body).toMatchObject({ locale: 'de-CH' });
    const named = await gateway.call('PATCH', '/api/v1/me', { token: access_token, body: { display_name: 'Zoë' } });
    expect(named.body).toMatchObject({ locale: 'de-CH', display_name: 'Zoë' });
  });

  test('erasing it takes the account, its logins and its conversations, and leaves its creators to the tenant', async () => {
    const session = await gateway.signIn('creator');
    const created = await gateway.call<{ id: string }>('POST', '/api/v1/creators', {
      token: session.access_token,
      body: { name: 'Mine' },
    });
    const principal = `user:${session.user.id}`;
    const { tenantId } = gateway.home;
    await gateway.makeConversation({ tenantId, creatorId: created.body.id, principal });
    expect((await gateway.call('DELETE', '/api/v1/me', { token: session.access_token })).status).toBe(204);
    expect((await me(session.access_token)).status).toBe(401);
    expect((await auth('refresh', { refresh_token: session.refresh_token })).status).toBe(401);
    const counts = await gateway.database.query(
      `SELECT (SELECT count(*) FROM users WHERE id = $1)::int AS users, (SELECT count(*) FROM refresh_tokens WHERE user_id = $1)::int AS tokens,
              (SELECT count(*) FROM conversations WHERE principal = $2)::int AS conversations,
              (SELECT count(*) FROM turns WHERE principal = $2)::int AS turns, (SELECT count(*) FROM creators WHERE id = $3)::int AS creators`,
      [session.user.id, principal, created.body.id],
    );
    expect(counts[0]).toEqual({ users: 0, tokens: 0, conversations: 0, turns: 0, creators: 1 });
  });
});
