import { z } from 'zod';
import { messageText } from './chat.js';
import type { Problem } from './problems.js';
import type { ClientEvent } from './reply-events.js';
import { opaqueId, webUrl } from './text.js';

/** An Idempotency-Key: 1 to 255 visible ASCII characters, quoted or bare. */
export const idempotencyKey = z.string().regex(/^[\x21-\x7e]{1,255}$/, 'must be 1 to 255 visible ASCII characters');

/** What a client may send on `/ws/{session_id}/{client_id}`. */
export const wsClientFrame = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('message'),
    message: messageText,
    /** Needed on the first message of a `new` session. */
    creator_id: opaqueId.optional(),
    video_url: webUrl.optional(),
    idempotency_key: idempotencyKey.optional(),
  }),
  z.object({
    type: z.literal('resume'),
    message_id: opaqueId,
    last_seq: z.number().int().min(0),
    /** Names the frame: an error that answers it repeats the key. */
    idempotency_key: idempotencyKey.optional(),
  }),
  z.object({ type: z.literal('cancel'), message_id: opaqueId, idempotency_key: idempotencyKey.optional() }),
  z.object({ type: z.literal('ping') }),
]);
export type WsClientFrame = z.infer<typeof wsClientFrame>;

/** One line of the RateLimit header, for people. */
export interface LimitState {
  policy: string;
  limit: number;
  remaining: number;
  reset_seconds: number;
}

export type WsServerFrame =
  | { type: 'ready'; session_id: string; client_id: string; conversation_id?: string }
  | {
      type: 'accepted';
      message_id: string;
      conversation_id: string;
      creator_id: string;
      /** The fan's words: other devices of the session show them too. */
      message: string;
      idempotency_key?: string;
      rate_limit?: LimitState[];
    }
  | { type: 'error'; problem: Problem; idempotency_key?: string }
  | { type: 'pong' }
  | ClientEvent;

/** Every close code this server sends. */
export const wsCloseCodes = {
  goingAway: { code: 1001, reason: 'the server is shutting down' },
  policy: { code: 1008, reason: 'policy violation' },
  tooBig: { code: 1009, reason: 'frame larger than 64 KiB' },
  restart: { code: 1012, reason: 'the server restarts, reconnect' },
  tryLater: { code: 1013, reason: 'too many connections, try later' },
  slowReader: { code: 1013, reason: 'reading too slowly, reconnect and resume' },
  unauthenticated: { code: 4401, reason: 'the credential has ended' },
  origin: { code: 4403, reason: 'this origin may not connect' },
  tooFast: { code: 4429, reason: 'too many messages' },
} as const;
