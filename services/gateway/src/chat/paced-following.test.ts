import { beforeEach, describe, expect, test } from '@jest/globals';
import type { ReplyEvent } from '@sidestage/contracts';
import { followPaced } from './paced-following.js';
import type { Measurement, Relay, RelayOptions } from './relay.js';
import type { Turn } from './turn.js';

const turn = { id: 'turn' } as Turn;
const events: ReplyEvent[] = [1, 2, 3, 4, 5].map((seq) => ({ type: 'delta', text: `${seq} `, seq }));
const end: ReplyEvent = { type: 'cancelled', seq: 6 };

describe('a reader is followed as fast as it takes', () => {
  let open: RelayOptions[] = [];
  const begun: { afterSeq: number; measured: Measurement | null }[] = [];
  const relay: Pick<Relay, 'follow'> = {
    follow(_turn, options) {
      open.push(options);
      begun.push({ afterSeq: options.afterSeq, measured: options.measured });
      return {
        close: () => {
          open = open.filter((one) => one !== options);
        },
      };
    },
  };
  beforeEach(() => {
    open = [];
    begun.length = 0;
  });

  /** As the replay buffer does: what comes after what the reader has. */
  const deliver = () => {
    for (const { afterSeq, deliver: give } of open) give([...events, end].filter(({ seq }) => seq > afterSeq));
  };

  test('one that is behind is not followed until it has room, then from what it has; all of it comes once, measured once', () => {
    const got: number[] = [];
    const room = [true, false, true, false];
    let ended = 0;
    const following = followPaced(relay as Relay, turn, {
      afterSeq: 0,
      measured: true,
      write: ({ seq }) => {
        got.push(seq);
        return room.shift() ?? true;
      },
      onEnd: () => {
        ended += 1;
      },
    });
    deliver();
    expect([got, open.length]).toEqual([[1, 2], 0]);
    following.drained();
    following.drained();
    expect(open).toHaveLength(1);
    deliver();
    expect([got, open.length]).toEqual([[1, 2, 3, 4], 0]);
    following.drained();
    deliver();
    expect([got, ended]).toEqual([[1, 2, 3, 4, 5, 6], 1]);
    expect(begun.map(({ afterSeq }) => afterSeq)).toEqual([0, 2, 4]);
    expect(new Set(begun.map(({ measured }) => measured)).size).toBe(1);
    following.drained();
    expect(begun).toHaveLength(3);
  });

  test('one that left is not followed again when its room is told late', () => {
    const following = followPaced(relay as Relay, turn, {
      afterSeq: 3,
      measured: false,
      write: () => false,
      onEnd: () => undefined,
    });
    deliver();
    following.close();
    following.drained();
    expect([open.length, begun.length]).toEqual([0, 1]);
  });
});
