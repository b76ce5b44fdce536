import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { waitFor } from '@sidestage/testkit';
import { type ChatStage, makeChatStage } from '../testing/chat-stage.js';

const devices = 16;
const sends = 200;

describe('a hot conversation', () => {
  let stage: ChatStage;
  beforeAll(async () => {
    stage = await makeChatStage();
  });
  afterAll(() => stage.close());

  test('200 sends by 16 devices into one conversation, over two gateways: answered in the order accepted, one at a time', async () => {
    await stage.gateway.database.query(`UPDATE tenants SET policy = $1 WHERE id = $2`, [
      JSON.stringify({ tiers: { enterprise: { in_flight: 1_000, per_minute: 10_000, per_hour: 10_000 } } }),
      stage.tenantId,
    ]);
    const key = await stage.key('enterprise');
    let running = 0;
    let most = 0;
    stage.use(async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setTimeout(resolve, 1));
      running -= 1;
      return 'ok';
    });
    const first = await stage.chat(key, { message: 'first' });
    const conversation_id = String(first.body.conversation_id);
    /** One device: sends its messages one after the other and does not wait for replies. */
    async function useDevice(device: number): Promise<void> {
      for (let n = device; n < sends; n += devices) {
        const answer = await stage.chat(
          key,
          { message: `${device}:${n}`, conversation_id },
          { at: n % 2 ? stage.url : stage.other, headers: { Prefer: 'respond-async' } },
        );
        expect(answer.status).toBe(202);
      }
    }
    await Promise.all(Array.from({ length: devices }, (_, device) => useDevice(device)));
    const done = () =>
      stage.gateway.database.query<{
        message: string;
        ordinal: number;
        started_at: Date;
        ended_at: Date;
        state: string;
      }>(
        `SELECT message, ordinal, started_at, ended_at, state FROM turns WHERE conversation_id = $1 ORDER BY ordinal`,
        [conversation_id],
      );
    await waitFor(async () => (await done()).every(({ state }) => state === 'done'), {
      timeoutMs: 120_000,
      what: 'every turn to be answered',
    });
    const turns = await done();
    expect(turns.map(({ ordinal }) => ordinal)).toEqual(Array.from({ length: sends + 1 }, (_, index) => index + 1));
    expect(stage.worker.claimed).toEqual(turns.map(({ message }) => message));
    expect(most).toBe(1);
    const inversions = turns.filter((turn, index) => index > 0 && turn.started_at < (turns[index - 1]?.ended_at ?? 0));
    expect(inversions).toEqual([]);
    // Each device's own messages stand in the order it sent them.
    for (let device = 0; device < devices; device++) {
      const own = turns.flatMap(({ message }) =>
        message.startsWith(`${device}:`) ? [Number(message.split(':')[1])] : [],
      );
      expect(own).toEqual([...own].sort((a, b) => a - b));
    }
  }, 180_000);
});
