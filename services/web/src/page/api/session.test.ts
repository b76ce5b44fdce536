import { describe, expect, it } from '@jest/globals';
import { type SessionParts, SessionStore } from './session.js';

/** A gateway that rotates refresh tokens and ends the session when one is used twice, and two tabs' shared storage. */
function makeBrowser() {
  let issued = 0;
  let now = 0;
  const calls: string[] = [];
  const live = new Set<string>();
  const stored = new Map<string, string>();
  let queue: Promise<unknown> = Promise.resolve();
  const bodies: Record<string, unknown>[] = [];
  const fetchIt: typeof fetch = async (input, init) => {
    const route = String(input).split('/').at(-1) ?? '';
    const body = JSON.parse(String(init?.body ?? '{}')) as Record<string, string>;
    calls.push(route);
    bodies.push({ ...body, bearer: new Headers(init?.headers).get('Authorization') });
    await new Promise((resolve) => setTimeout(resolve, 5));
    if (route === 'refresh' && !live.delete(body.refresh_token ?? '')) {
      const problem = { type: 'x', title: 'used before', status: 401, code: 'token_reused' };
      return new Response(JSON.stringify(problem), { status: 401 });
    }
    issued += 1;
    live.add(`r${issued}`);
    const email = route === 'guest' ? null : (body.email ?? 'a@example.org');
    const user = { id: 'u1', email, display_name: 'A', role: 'fan', tier: 'free' };
    const session = {
      access_token: `a${issued}`,
      refresh_token: `r${issued}`,
      token_type: 'Bearer',
      expires_in: 900,
      user,
    };
    return new Response(JSON.stringify(session), { status: 200 });
  };
  const parts: SessionParts = {
    gatewayUrl: 'http://gateway',
    fetch: fetchIt,
    storage: {
      getItem: (key) => stored.get(key) ?? null,
      setItem: (key, value) => void stored.set(key, value),
      removeItem: (key) => void stored.delete(key),
    },
    exclusively: (work) => {
      const mine = queue.then(work);
      queue = mine.catch(() => undefined);
      return mine;
    },
    nowMs: () => now,
  };
  return {
    calls,
    bodies,
    openTab: () => new SessionStore(parts),
    pass: (ms: number) => (now += ms),
    revokeAll: () => live.clear(),
  };
}

describe('SessionStore', () => {
  it('makes one guest, however many presses ask at once', async () => {
    const { calls, openTab } = makeBrowser();
    const tab = openTab();
    expect(await Promise.all([tab.token(), tab.token(), tab.token()])).toEqual(['a1', 'a1', 'a1']);
    expect(calls).toEqual(['guest']);
  });

  it('exchanges a token before it ends and not earlier', async () => {
    const { calls, openTab, pass } = makeBrowser();
    const tab = openTab();
    await tab.token();
    pass(800_000);
    expect(await tab.token()).toBe('a1');
    pass(50_000);
    expect(await tab.token()).toBe('a2');
    expect(calls).toEqual(['guest', 'refresh']);
  });

  it('lets one of two tabs refresh and the other take its tokens', async () => {
    const { calls, openTab, pass } = makeBrowser();
    const one = openTab();
    await one.token();
    const other = openTab();
    pass(880_000);
    expect(await Promise.all([one.token(), other.token(), one.token()])).toEqual(['a2', 'a2', 'a2']);
    expect(calls).toEqual(['guest', 'refresh']);
  });

  it('ends a session whose refresh token is refused, and says so', async () => {
    const { openTab, pass, revokeAll } = makeBrowser();
    const tab = openTab();
    await tab.token();
    revokeAll();
    pass(880_000);
    await expect(tab.token()).rejects.toThrow('used before');
    expect([tab.current, tab.ended]).toEqual([null, true]);
  });

  it('takes a guest along: register with the guest’s token, login with its refresh token', async () => {
    const { bodies, openTab } = makeBrowser();
    const tab = openTab();
    await tab.token();
    await tab.register({ email: 'a@example.org', password: 'long enough' });
    expect(bodies.at(-1)).toMatchObject({ bearer: 'Bearer a1' });
    await tab.logout();
    await tab.guest();
    const guest = tab.current?.refreshToken;
    await tab.login({ email: 'a@example.org', password: 'long enough' });
    expect(bodies.at(-1)).toMatchObject({ guest_refresh_token: guest, bearer: null });
  });
});
