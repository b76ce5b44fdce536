import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startTestGateway, type TestGateway } from '../testing/test-gateway.js';

let gateway: TestGateway;
let creatorId: string;
let fan: { token: string; principal: string };

beforeAll(async () => {
  gateway = await startTestGateway();
  const owner = await gateway.signIn('creator');
  const made = await gateway.call<{ id: string }>('POST', '/api/v1/creators', {
    token: owner.access_token,
    body: { name: 'Ada' },
  });
  creatorId = made.body.id;
  const session = await gateway.signIn('fan');
  fan = { token: session.access_token, principal: `user:${session.user.id}` };
});
afterAll(() => gateway.close());

describe('the history of a conversation', () => {
  test('says how each reply ended, so a refusal of the model does not look like a thin answer', async () => {
    const { id, turnId } = await gateway.makeConversation({
      tenantId: gateway.home.tenantId,
      creatorId,
      principal: fan.principal,
    });
    const read = async () => {
      const path = `/api/v1/conversations/${id}/messages`;
      const { body } = await gateway.call<{ items: { role: string; finish_reason?: string }[] }>('GET', path, {
        token: fan.token,
      });
      return body.items.map(({ role, finish_reason }) => [role, finish_reason]);
    };
    for (const reason of ['blocked', 'length', 'stop']) {
      await gateway.database.query('UPDATE turns SET finish_reason = $2 WHERE id = $1', [turnId, reason]);
      expect(await read()).toEqual([
        ['fan', undefined],
        ['creator', reason],
      ]);
    }
  });
});
