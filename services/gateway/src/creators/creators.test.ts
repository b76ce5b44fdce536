import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { ConversationView, CreatorView, HistoryMessage, Page } from '@sidestage/contracts';
import { makeId } from '@sidestage/runtime';
import { startTestGateway, type TestGateway } from '../testing/test-gateway.js';
import type { ProblemView } from '../testing/wire.js';
import { slugOf } from './slug.js';

let gateway: TestGateway;
let token: string;
beforeAll(async () => {
  gateway = await startTestGateway();
  token = gateway.home.key;
});
afterAll(() => gateway.close());

const make = (body: Record<string, unknown>) => gateway.call<CreatorView>('POST', '/api/v1/creators', { token, body });

async function pagesOf<Item>(path: string, reader: string): Promise<Item[][]> {
  const pages: Item[][] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const { body }: { body: Page<Item> } = await gateway.call('GET', `${path}${cursor && `&cursor=${cursor}`}`, {
      token: reader,
    });
    pages.push(body.items);
    cursor = body.next_cursor;
  }
  return pages;
}

describe('a creator', () => {
  test('gets a slug from its name, another when that is taken, and is found by both', async () => {
    const first = await make({ name: 'Dr. Zoë Ångström' });
    expect(first.status).toBe(201);
    expect(first.body.slug).toBe('dr-zoe-angstrom');
    const second = await make({ name: 'Dr. Zoë Ångström' });
    expect(second.body.slug).toBe('dr-zoe-angstrom-2');
    for (const name of [second.body.id, second.body.slug]) {
      expect((await gateway.call('GET', `/api/v1/creators/${name}`)).body).toEqual(second.body);
    }
  });

  test('with a slug that is taken is a conflict that names the field', async () => {
    await make({ name: 'One', slug: 'wanted' });
    const again = await gateway.call<ProblemView>('POST', '/api/v1/creators', {
      token,
      body: { name: 'Two', slug: 'wanted' },
    });
    expect(again.status).toBe(409);
    expect(again.body.errors?.[0]?.path).toBe('slug');
    const { body } = await make({ name: 'Three' });
    const patched = await gateway.call<ProblemView>('PATCH', `/api/v1/creators/${body.id}`, {
      token,
      body: { slug: 'wanted' },
    });
    expect(patched.status).toBe(409);
  });

  test('counts its persona up when what it says or how changes, and only then', async () => {
    const { body } = await make({ name: 'Moody' });
    const version = async () =>
      (
        await gateway.database.query<{ persona_version: number }>(
          'SELECT persona_version FROM creators WHERE id = $1',
          [body.id],
        )
      )[0]?.persona_version;
    const path = `/api/v1/creators/${body.id}`;
    await gateway.call('PATCH', path, { token, body: { description: 'Nice' } });
    expect(await version()).toBe(1);
    const patched = await gateway.call<CreatorView>('PATCH', path, {
      token,
      body: { persona: 'Dry.', avatar_url: null },
    });
    expect(patched.body).toMatchObject({ persona: 'Dry.', description: 'Nice', avatar_url: null });
    expect(await version()).toBe(2);
    expect((await gateway.call('PATCH', path, { token, body: {} })).status).toBe(422);
    expect((await gateway.call('PATCH', path, { token, body: { owner_id: makeId() } })).status).toBe(422);
  });

  test('goes with its sources and conversations', async () => {
    const { body } = await make({ name: 'Gone soon' });
    await gateway.call('POST', `/api/v1/creators/${body.id}/sources`, {
      token,
      body: { title: 'One', kind: 'article', format: 'text', content: 'Words.' },
    });
    const { tenantId } = gateway.home;
    await gateway.makeConversation({ tenantId, creatorId: body.id, principal: `user:${makeId()}` });
    expect((await gateway.call('DELETE', `/api/v1/creators/${body.id}`, { token })).status).toBe(204);
    expect((await gateway.call('GET', `/api/v1/creators/${body.id}`, { token })).status).toBe(404);
    for (const table of ['sources', 'conversations', 'turns']) {
      expect(await gateway.database.query(`SELECT FROM ${table} WHERE creator_id = $1`, [body.id])).toEqual([]);
    }
  });

  test('is found by words of its name, also with signs of a pattern in them', async () => {
    await make({ name: '100 % Bread' });
    const search = async (q: string) =>
      (await gateway.call<Page<CreatorView>>('GET', `/api/v1/creators?${new URLSearchParams({ q })}`)).body.items.map(
        (item) => item.name,
      );
    expect(await search('bread')).toEqual(['100 % Bread']);
    expect(await search('100 %')).toEqual(['100 % Bread']);
    expect(await search('1%B')).toEqual([]);
    expect(await search('_')).toEqual([]);
  });

  test('is listed once, however the pages are cut', async () => {
    const all = (await pagesOf<CreatorView>('/api/v1/creators?limit=100', token)).flat().map((item) => item.id);
    for (const limit of [1, 2, 3]) {
      const pages = await pagesOf<CreatorView>(`/api/v1/creators?limit=${limit}`, token);
      expect(pages.flat().map((item) => item.id)).toEqual(all);
    }
  });

  test('names of no Latin letters still get a slug', () => {
    expect(slugOf('東京')).toBe('creator');
    expect(slugOf('  --A  b--  ')).toBe('a-b');
    expect(slugOf('x'.repeat(200))).toHaveLength(58);
  });
});

describe('history', () => {
  test('comes oldest first page by page, or from its end backwards, each line once', async () => {
    const fan = await gateway.signIn('fan');
    const principal = `user:${fan.user.id}`;
    const { body: creator } = await make({ name: 'Talkative' });
    const { tenantId } = gateway.home;
    const { id } = await gateway.makeConversation({ tenantId, creatorId: creator.id, principal });
    for (let ordinal = 2; ordinal <= 5; ordinal++) {
      const turn = makeId();
      await gateway.database.query(
        `INSERT INTO turns (id, tenant_id, conversation_id, creator_id, generation_id, principal, tier, ordinal, state, outcome, message, deadline_at,
           ended_at, reply_text, problem)
         VALUES ($1, $2, $3, $4, $1, $5, 'free', $6, 'done', $7, $8, now(), now(), $9, $10)`,
        [
          turn,
          tenantId,
          id,
          creator.id,
          principal,
          ordinal,
          ordinal === 4 ? 'dead' : 'completed',
          `question ${ordinal}`,
          ordinal === 4 ? null : `reply ${ordinal}`,
          ordinal === 4 ? JSON.stringify({ type: 'x', title: 'x', status: 502, code: 'model_failed' }) : null,
        ],
      );
    }
    const path = `/api/v1/conversations/${id}/messages`;
    const whole = (await pagesOf<HistoryMessage>(`${path}?limit=100`, fan.access_token)).flat();
    expect(whole.map((line) => line.text)).toEqual([
      'Hello',
      'Hi there',
      'question 2',
      'reply 2',
      'question 3',
      'reply 3',
      'question 4',
      'question 5',
      'reply 5',
    ]);
    expect(whole[6]).toMatchObject({ role: 'fan', status: 'failed', error: { code: 'model_failed' } });
    expect(new Set(whole.map((line) => line.id)).size).toBe(9);
    for (const limit of [1, 2, 3, 4]) {
      const forwards = await pagesOf<HistoryMessage>(`${path}?limit=${limit}`, fan.access_token);
      expect(forwards.flat()).toEqual(whole);
      expect(Math.max(...forwards.map((page) => page.length))).toBe(limit);
      const backwards = await pagesOf<HistoryMessage>(`${path}?limit=${limit}&order=newest`, fan.access_token);
      expect(backwards.reverse().flat()).toEqual(whole);
    }
  });

  test('lists an integrator’s conversations by end user, the last used first', async () => {
    const { body: creator } = await make({ name: 'Busy' });
    const { id, key } = await gateway.makeKey(gateway.home.tenantId);
    const { tenantId } = gateway.home;
    const made: string[] = [];
    for (const endUser of ['ann', 'bob', 'ann']) {
      const conversation = await gateway.makeConversation({ tenantId, creatorId: creator.id, principal: `key:${id}` });
      await gateway.database.query('UPDATE conversations SET end_user_id = $2 WHERE id = $1', [
        conversation.id,
        endUser,
      ]);
      made.unshift(conversation.id);
    }
    const list = async (query: string) =>
      (await pagesOf<ConversationView>(`/api/v1/conversations?limit=1${query}`, key)).flat().map((item) => item.id);
    expect(await list('')).toEqual(made);
    expect(await list('&user_id=ann')).toEqual([made[0], made[2]]);
    expect(await list('&user_id=eve')).toEqual([]);
  });
});
