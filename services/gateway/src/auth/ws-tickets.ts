import { ProblemError, roleSchema, tierSchema } from '@sidestage/contracts';
import type { Redis } from '@sidestage/runtime';
import { hashSecretToken, makeSecretToken } from '@sidestage/store';
import { keys } from '@sidestage/turns';
import { z } from 'zod';
import type { Principal } from './principal.js';

/** Seconds until an unused ticket ends. */
export const ticketSeconds = 30;

const stored = z.object({
  tenantId: z.string(),
  id: z.string(),
  role: roleSchema,
  tier: tierSchema,
  userId: z.string().nullable(),
  guest: z.boolean(),
  sessionId: z.string().nullable(),
  expiresAt: z.number().nullable(),
});

/** One-time tickets for WebSocket handshakes, kept in Redis under their hash. Both calls throw `unavailable` while Redis is down. */
export interface WsTickets {
  issue(principal: Principal): Promise<string>;
  /** Null for an unknown, used or ended ticket. */
  redeem(ticket: string): Promise<Principal | null>;
}

export function makeWsTickets(redis: Redis): WsTickets {
  const keyOf = (ticket: string) => keys.wsTicket(hashSecretToken(ticket).toString('hex'));
  return {
    async issue(principal) {
      const ticket = makeSecretToken();
      await orUnavailable(redis.set(keyOf(ticket), JSON.stringify(principal), 'EX', ticketSeconds));
      return ticket;
    },
    async redeem(ticket) {
      const text = await orUnavailable(redis.getdel(keyOf(ticket)));
      return text === null ? null : stored.parse(JSON.parse(text));
    },
  };
}

async function orUnavailable<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw new ProblemError('unavailable', {
      detail: 'Tickets cannot be used at the moment; send the token as a subprotocol, or try again.',
      retryAfterSeconds: 5,
      cause: error,
    });
  }
}
