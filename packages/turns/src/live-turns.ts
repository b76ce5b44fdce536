import { tierSchema } from '@sidestage/contracts';
import type { Logger } from '@sidestage/runtime';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { keys } from './keys.js';

const liveTurn = z.object({
  turn_id: z.string(),
  generation_id: z.string(),
  tenant_id: z.string(),
  conversation_id: z.string(),
  creator_id: z.string(),
  principal: z.string(),
  tier: tierSchema,
  /** ms since the epoch */
  accepted_at: z.number(),
});

/** Whose a turn under way is, and which generation tells it: ids only. */
export type LiveTurn = z.infer<typeof liveTurn>;

/**
 * Turns under way as Redis knows them, so that clients who come back in their hundreds are let in without the database. Only a turn whose
 * reply is being told is found here: of one that has ended, was deleted with its conversation, or that Redis has lost, Postgres is asked.
 */
export interface LiveTurns {
  /** Keeps a turn for `forMs`. Never rejects: without it Postgres is asked. */
  remember(turn: LiveTurn, forMs: number): Promise<void>;
  /** Callers check the principal. Null also while Redis is away. */
  find(tenantId: string, turnId: string): Promise<LiveTurn | null>;
}

export function makeLiveTurns({ redis, logger }: { redis: Redis; logger: Logger }): LiveTurns {
  return {
    async remember(turn, forMs) {
      try {
        await redis.set(keys.liveTurn(turn.tenant_id, turn.turn_id), JSON.stringify(turn), 'PX', forMs);
      } catch (error) {
        logger.debug({ err: error, turn_id: turn.turn_id }, 'a turn under way is known to Postgres only');
      }
    },

    async find(tenantId, turnId) {
      try {
        const kept = await redis.get(keys.liveTurn(tenantId, turnId));
        if (kept === null) return null;
        const turn = liveTurn.parse(JSON.parse(kept));
        const [seq, ended] = await redis.hmget(keys.replyState(turn.generation_id), 'seq', 'ended');
        return seq !== null && ended === null ? turn : null;
      } catch (error) {
        logger.debug({ err: error, turn_id: turnId }, 'Postgres is asked for a turn under way');
        return null;
      }
    },
  };
}
