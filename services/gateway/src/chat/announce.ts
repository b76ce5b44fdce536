import type { Logger } from '@sidestage/runtime';
import type { NewTurn } from '@sidestage/store';
import type { Dispatcher, LiveTurns, ReplyWriter } from '@sidestage/turns';
import type { ConversationFeed } from '../ws/conversation-feed.js';

export interface Announcement {
  /** It is the head of its conversation: put it into the queue. */
  offered: boolean;
  position: number | null;
  eta_ms: number | null;
  socketId: string | null;
}

/** Past its deadline a sweep ends a turn: it may be under way for so much longer. Milliseconds. */
const liveSlackMs = 10_000;

/** What follows acceptance: the first event, the queue, the other devices of the conversation. None of it can lose the turn. */
export interface Announcer {
  /** Resolves when the buffer has begun with `queued`; false while Redis is away. Never rejects. */
  announce(turn: NewTurn, announcement: Announcement): Promise<boolean>;
  /** Resolves when nothing is under way. */
  drain(): Promise<void>;
}

export function makeAnnouncer(options: {
  replyWriter: ReplyWriter;
  dispatcher: Pick<Dispatcher, 'offer'>;
  feed: Pick<ConversationFeed, 'publish'>;
  liveTurns: Pick<LiveTurns, 'remember'>;
  logger: Logger;
}): Announcer {
  const { replyWriter, dispatcher, feed, liveTurns, logger } = options;
  const underWay = new Set<Promise<unknown>>();

  function track<T>(work: Promise<T>): Promise<T> {
    underWay.add(work);
    return work.finally(() => underWay.delete(work));
  }

  async function begin(turn: NewTurn, { position, eta_ms }: Announcement): Promise<boolean> {
    try {
      const { accepted } = await replyWriter.append(turn.generation_id, 0, [{ type: 'queued', position, eta_ms }]);
      return accepted;
    } catch (error) {
      logger.debug({ err: error, turn_id: turn.turn_id }, 'accepted without a queued event');
      return false;
    }
  }

  return {
    announce(turn, announcement) {
      const begun = track(begin(turn, announcement));
      const { turn_id, generation_id, tenant_id, conversation_id, creator_id, principal, tier } = turn;
      const ids = { turn_id, generation_id, tenant_id, conversation_id, creator_id, principal, tier };
      void track(liveTurns.remember({ ...ids, accepted_at: Date.now() }, turn.deadline_ms + liveSlackMs));
      // Offered after `queued` is in the buffer: a worker's first event would otherwise shut it out.
      if (announcement.offered)
        void track(
          begun.then(() =>
            dispatcher.offer({
              tenant_id: turn.tenant_id,
              turn_id: turn.turn_id,
              request_id: turn.request_id,
              traceparent: turn.traceparent,
            }),
          ),
        );
      void track(
        begun.then(() =>
          feed.publish(
            {
              message_id: turn.turn_id,
              generation_id: turn.generation_id,
              tenant_id: turn.tenant_id,
              conversation_id: turn.conversation_id,
              creator_id: turn.creator_id,
              principal: turn.principal,
              tier: turn.tier,
              message: turn.message,
              accepted_at: Date.now(),
            },
            { socketId: announcement.socketId, newConversation: turn.new_conversation },
          ),
        ),
      );
      return begun;
    },
    async drain() {
      while (underWay.size > 0) await Promise.allSettled([...underWay]);
    },
  };
}
