import { type Tier, tierSchema } from '@sidestage/contracts';
import { closeRedis, type Logger, makeId, makeRedis, type Redis } from '@sidestage/runtime';
import { keys } from '@sidestage/turns';
import { z } from 'zod';

/** A turn was accepted in a conversation, through whatever door and gateway. */
export interface AcceptedTurn {
  message_id: string;
  generation_id: string;
  tenant_id: string;
  conversation_id: string;
  creator_id: string;
  principal: string;
  tier: Tier;
  /** The fan's words: other devices show them too. */
  message: string;
  /** ms since the epoch */
  accepted_at: number;
}

const published = z.object({
  origin: z.string(),
  message_id: z.string(),
  generation_id: z.string(),
  tenant_id: z.string(),
  conversation_id: z.string(),
  creator_id: z.string(),
  principal: z.string(),
  tier: tierSchema,
  message: z.string(),
  accepted_at: z.number(),
});

/** Clocks of gateway and Postgres may differ by so much; and a half-open connection is noticed late. */
const clockSlackMs = 5_000;

type Listener = (turn: AcceptedTurn, socketId: string | null) => void;

/** Tells every gateway with a socket of a conversation about the turns accepted in it. */
export interface ConversationFeed {
  publish(turn: AcceptedTurn, from: { socketId: string | null; newConversation: boolean }): Promise<void>;
  /** `listener` hears of turns accepted from now on; the returned function ends it. */
  subscribe(tenantId: string, conversationId: string, listener: Listener): () => void;
  /** The connection was lost and is back: what was accepted since then must be looked up. */
  onGap(listener: (since: Date) => void): void;
  close(): Promise<void>;
}

/** Listeners of this process are called directly, so a conversation's devices on one gateway need no Redis; the echo is dropped. */
export function makeConversationFeed(options: { redis: Redis; redisUrl: string; logger: Logger }): ConversationFeed {
  const { redis, logger } = options;
  const origin = makeId();
  const subscriber = makeRedis(options.redisUrl, 'subscriber', logger);
  const listeners = new Map<string, Set<Listener>>();
  const gapListeners: ((since: Date) => void)[] = [];
  let heardAt: number | null = null;

  subscriber.on('message', (channel: string, payload: string) => {
    const heard = listeners.get(channel);
    if (!heard) return;
    try {
      const { origin: from, ...turn } = published.parse(JSON.parse(payload));
      if (from !== origin) for (const listener of [...heard]) listener(turn, null);
    } catch (error) {
      logger.warn({ err: error }, 'unreadable message on a conversation channel');
    }
  });
  subscriber.on('close', () => {
    heardAt ??= Date.now() - clockSlackMs;
  });
  // Told once the server has confirmed every channel again: what comes later comes live.
  subscriber.on('ready', () => {
    if (heardAt === null) return;
    const since = new Date(heardAt);
    const channels = [...listeners.keys()];
    const confirmed = channels.length > 0 ? subscriber.subscribe(...channels) : Promise.resolve(0);
    confirmed.then(
      () => {
        heardAt = null;
        for (const listener of gapListeners) listener(since);
      },
      () => undefined,
    );
  });

  return {
    async publish(turn, { socketId, newConversation }) {
      const channel = keys.conversationChannel(turn.tenant_id, turn.conversation_id);
      for (const listener of [...(listeners.get(channel) ?? [])]) listener(turn, socketId);
      // Nobody else can know a conversation made just now.
      if (newConversation) return;
      await redis.publish(channel, JSON.stringify({ origin, ...turn })).catch((error: unknown) => {
        logger.debug({ err: error }, 'other gateways not told of a turn');
      });
    },

    subscribe(tenantId, conversationId, listener) {
      const channel = keys.conversationChannel(tenantId, conversationId);
      const heard = listeners.get(channel) ?? new Set<Listener>();
      if (heard.size === 0) {
        listeners.set(channel, heard);
        subscriber.subscribe(channel).catch(() => undefined);
      }
      heard.add(listener);
      return () => {
        if (!heard.delete(listener) || heard.size > 0) return;
        listeners.delete(channel);
        subscriber.unsubscribe(channel).catch(() => undefined);
      };
    },

    onGap: (listener) => {
      gapListeners.push(listener);
    },
    close: () => closeRedis(subscriber),
  };
}
