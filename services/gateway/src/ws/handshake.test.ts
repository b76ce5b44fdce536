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
  const connect = (url: string) =>
    handshake({ url, headers: {}, socket: { remoteAddress: '127.0.0.1' } } as IncomingMessage);
  const knock = (times: number) => Promise.allSettled(Array.from({ length: times }, () => connect('/ws/new/phone')));
  return { clock, asked, connect, knock };
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

describe('what a device says it resumes', () => {
  test.each([
    ['/ws/new/phone', null],
    ['/ws/new/phone?resumes=0', 0],
    ['/ws/new/phone?ticket-of=x&resumes=12', 12],
  ])('%s is %j turns', async (url, resumes) => {
    expect(await makeOpenDoor().connect(url)).toMatchObject({ clientId: 'phone', resumes });
  });

  test.each(['some', '-1', '1.5', '501'])('resumes=%s is refused by name, before anything is asked', async (value) => {
    const { asked, connect } = makeOpenDoor();
    await expect(connect(`/ws/new/phone?resumes=${value}`)).rejects.toMatchObject({
      code: 'validation_failed',
      options: { errors: [{ path: 'resumes' }] },
    });
    expect(asked.count).toBe(0);
  });
});
