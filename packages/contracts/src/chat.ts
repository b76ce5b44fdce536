import { z } from 'zod';
import { problemSchema } from './problems.js';
import { opaqueId, text, timestamp, webUrl } from './text.js';

/** 1 to 8,000 characters. */
export const messageText = text(1, 8000);
/** 64 KiB: a chat body and a ws frame. */
export const maxChatBytes = 64 * 1024;

/** `POST /api/v1/chat`. `creator_id` takes the id or the slug; `conversation_id` an id or `latest`. */
export const chatBody = z.object({
  message: messageText,
  creator_id: opaqueId,
  conversation_id: opaqueId.optional(),
  /** An integrator's own end user. */
  user_id: opaqueId.optional(),
  /** The video the fan is watching. */
  video_url: webUrl.optional(),
});
export type ChatBody = z.infer<typeof chatBody>;

export const citationSchema = z.object({
  source_id: z.string(),
  title: z.string(),
  /** Opens at the second. */
  url: z.string(),
  start_seconds: z.number().nullable(),
  end_seconds: z.number().nullable(),
  /** Verbatim words of the source at that second. */
  quote: z.string(),
  /** 1-based, in the order of the reply. */
  index: z.number().int(),
  /** Position in the reply's text (UTF-16 units) after which the mark stands. */
  offset: z.number().int(),
});
export type Citation = z.infer<typeof citationSchema>;

export const usageSchema = z.object({ input_tokens: z.number().int(), output_tokens: z.number().int() });
export const finishReasons = ['stop', 'length', 'blocked'] as const;
export const timingsSchema = z.object({
  queue_ms: z.number(),
  /** null when nothing was streamed */
  first_token_ms: z.number().nullable(),
  total_ms: z.number(),
});

export const replySchema = z.object({ text: z.string(), citations: z.array(citationSchema), grounded: z.boolean() });
export type Reply = z.infer<typeof replySchema>;

/** A finished turn: the 200 of `POST /api/v1/chat` and the body of `completed`. */
export const completedSchema = z.object({
  message_id: z.string(),
  conversation_id: z.string(),
  creator_id: z.string(),
  status: z.literal('completed'),
  reply: replySchema,
  finish_reason: z.enum(finishReasons),
  /** `<provider>/<model>` */
  model: z.string(),
  cached: z.boolean(),
  usage: usageSchema,
  timings: timingsSchema,
});
export type Completed = z.infer<typeof completedSchema>;

export const turnStatuses = ['queued', 'running', 'completed', 'failed', 'cancelled'] as const;
export type TurnStatus = (typeof turnStatuses)[number];

/** The 202. */
export const acceptedSchema = z.object({
  message_id: z.string(),
  conversation_id: z.string(),
  creator_id: z.string(),
  status: z.enum(turnStatuses),
  /** Turns ahead of this one plus one; null while the queue cannot be seen. */
  position: z.number().int().nullable(),
  eta_ms: z.number().int().nullable(),
});
export type Accepted = z.infer<typeof acceptedSchema>;

/** `GET /api/v1/messages/{id}`: the keys of the 200 as far as they are known. */
export const turnViewSchema = z.object({
  message_id: z.string(),
  conversation_id: z.string(),
  creator_id: z.string(),
  status: z.enum(turnStatuses),
  position: z.number().int().nullable().optional(),
  eta_ms: z.number().int().nullable().optional(),
  reply: replySchema.optional(),
  finish_reason: z.enum(finishReasons).optional(),
  model: z.string().optional(),
  cached: z.boolean().optional(),
  usage: usageSchema.optional(),
  timings: timingsSchema.optional(),
  error: problemSchema.optional(),
});
export type TurnView = z.infer<typeof turnViewSchema>;

export const feedbackBody = z.object({ rating: z.enum(['up', 'down']), comment: text(0, 2000).optional() });

export const conversationSchema = z.object({
  id: z.string(),
  creator_id: z.string(),
  title: z.string(),
  user_id: z.string().nullable(),
  created_at: timestamp,
  last_message_at: timestamp,
});
export type ConversationView = z.infer<typeof conversationSchema>;

/** One line of a conversation's history, oldest first. The fan's line and the reply of one turn share `message_id`. */
export const historyMessageSchema = z.object({
  id: z.string(),
  message_id: z.string(),
  role: z.enum(['fan', 'creator']),
  text: z.string(),
  citations: z.array(citationSchema).optional(),
  grounded: z.boolean().optional(),
  /** Of a reply: `blocked` is a refusal of the model, `length` was cut short. */
  finish_reason: z.enum(finishReasons).optional(),
  feedback: z.enum(['up', 'down']).nullable().optional(),
  /** What the fan wrote beside it: shown to the creator's owner. */
  feedback_comment: z.string().optional(),
  error: problemSchema.optional(),
  created_at: timestamp,
  status: z.enum(turnStatuses),
});
export type HistoryMessage = z.infer<typeof historyMessageSchema>;
