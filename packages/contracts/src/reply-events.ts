import { z } from 'zod';
import { citationSchema, completedSchema } from './chat.js';
import { problemSchema } from './problems.js';

/** What a worker or gateway says about a generation, before the buffer has numbered it. */
export const replyEventBody = z.discriminatedUnion('type', [
  z.object({ type: z.literal('queued'), position: z.number().int().nullable(), eta_ms: z.number().int().nullable() }),
  z.object({
    type: z.literal('started'),
    attempt: z.number().int(),
    model: z.string(),
    /** Ready sources of the creator: "Looking through 48 videos". */
    sources: z.number().int().optional(),
  }),
  z.object({ type: z.literal('delta'), text: z.string() }),
  z.object({ type: z.literal('citation'), ...citationSchema.shape }),
  z.object({ type: z.literal('reset'), attempt: z.number().int(), recovered: z.boolean().optional() }),
  completedSchema.extend({ type: z.literal('completed') }),
  z.object({ type: z.literal('failed'), problem: problemSchema }),
  z.object({ type: z.literal('cancelled') }),
]);
export type ReplyEventBody = z.infer<typeof replyEventBody>;
export type ReplyEventType = ReplyEventBody['type'];

/** A numbered piece of a reply. `seq` counts up by one while the replay buffer lives. */
export type ReplyEvent = ReplyEventBody & { seq: number };

/** As it goes to a client, over SSE (`data`) and WebSocket alike. */
export type ClientEvent = ReplyEvent & { message_id: string; conversation_id: string };

/** No event follows one of these. */
export function isTerminal(type: ReplyEventType): boolean {
  return type === 'completed' || type === 'failed' || type === 'cancelled';
}
