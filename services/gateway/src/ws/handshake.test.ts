import type { IncomingMessage } from 'node:http';
import { describe, expect, test } from '@jest/globals';
import { makeHandshake } from './handshake.js';

type Dependencies = Parameters<typeof makeHandshake>[0]['dependencies'];

/** Everybody is let in who gets so far. */
function makeOpenDoor() {
  const clock = { now: 0 };
  const asked = { count: 0 };
  const dependencies = {
    authenticator: {
      authenticate: async () => {
        asked.count += 1;
        return { id: 'user:one', tenantId: 'tenant' };
      },
    },
    limits: { countPrincipal: async () => undefined },
    origins: { allows: () => true },
    config: { trustProxyHops: 0 },
  } as unknown as Dependencies;
  const handshake = makeHandshake({ dependencies, findConversation: async () => null, now: () => clock.now });
  const request = { url: '/ws/new/phone', headers: {}, socket: { remoteAddress: '127.0.0.1' } } as IncomingMessage;
  const knock = (times: number) => Promise.allSettled(Array.from({ length: times }, () => handshake(request)));
  return { clock, asked, knock };
}

describe('handshakes after a gateway’s end', () => {
  test('are let in at a bounded rate: 503 with Retry-After beyond it, before anything is asked', async () => {
    const { clock, asked, knock } = makeOpenDoor();
    const storm = await knock(1_200);
    const refused = storm.flatMap((end) => (end.status === 'rejected' ? [end.reason] : []));
    expect(refused).toHaveLength(200);
    for (const problem of refused) {
      expect(problem).toMatchObject({ code: 'overloaded', status: 503 });
      expect(problem.options.violatedPolicies).toEqual(['handshakes']);
      expect([1, 2, 3]).toContain(problem.options.retryAfterSeconds);
    }
    expect(asked.count).toBe(1_000);
    clock.now += 1_000;
    const back = await knock(300);
    expect(new Set(back.map(({ status }) => status))).toEqual(new Set(['fulfilled']));
  });
});
