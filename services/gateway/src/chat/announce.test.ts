import { expect, test } from '@jest/globals';
import { makeId, makeLogger } from '@sidestage/runtime';
import type { NewTurn } from '@sidestage/store';
import { makeGate } from '../testing/scripted-worker.js';
import { makeAnnouncer } from './announce.js';

const turn: NewTurn = {
  turn_id: makeId(),
  generation_id: makeId(),
  tenant_id: makeId(),
  conversation_id: makeId(),
  new_conversation: true,
  title: 'Hello',
  creator_id: makeId(),
  principal: 'user:ada',
  end_user_id: '',
  tier: 'free',
  message: 'Hello',
  video_url: null,
  idempotency_key: null,
  request_hash: null,
  request_id: null,
  traceparent: null,
  deadline_ms: 1000,
};

test('a turn goes to the queue only once `queued` is in its buffer, and draining waits for that', async () => {
  const written = makeGate();
  const done: string[] = [];
  const announcer = makeAnnouncer({
    liveTurns: { remember: async () => undefined },
    logger: makeLogger({ service: 'test', level: 'FATAL' }),
    replyWriter: {
      async append() {
        await written.opened;
        done.push('queued');
        return { accepted: true, seq: 1 };
      },
    },
    dispatcher: {
      async offer() {
        done.push('offered');
        return true;
      },
    },
    feed: { publish: async () => undefined },
  });
  const announced = announcer.announce(turn, { offered: true, position: 1, eta_ms: null, socketId: null });
  await new Promise((resolve) => setImmediate(resolve));
  expect(done).toEqual([]);
  written.open();
  expect(await announced).toBe(true);
  await announcer.drain();
  expect(done).toEqual(['queued', 'offered']);
});
