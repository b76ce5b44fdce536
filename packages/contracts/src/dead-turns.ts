import { z } from 'zod';
import { problemSchema } from './problems.js';
import { pageQuery, timestamp } from './text.js';
import { tierSchema } from './tiers.js';

/** `GET /api/v1/admin/dead-turns`: newest end first; `tenant_id` narrows to one tenant. */
export const deadTurnQuery = pageQuery.extend({
  tenant_id: z.uuid('must be the id of a tenant').optional(),
});

/** A turn that was set aside after the deaths of its workers, without the fan's words. */
export const deadTurnSchema = z.object({
  id: z.string(),
  tenant_id: z.string(),
  creator_id: z.string(),
  conversation_id: z.string(),
  /** `user:<id>` or `key:<id>`: whose message it is. */
  principal: z.string(),
  tier: tierSchema,
  /** Workers that died while they answered it; model errors. */
  crashes: z.number().int(),
  failures: z.number().int(),
  accepted_at: timestamp,
  ended_at: timestamp,
  /** Of the request that brought it: finds its lines in the logs. */
  request_id: z.string().nullable(),
  /** The problem its fan was told. */
  reason: problemSchema,
});
export type DeadTurnView = z.infer<typeof deadTurnSchema>;

/** One dead turn, with what the fan wrote. Reading it is audited. */
export const deadTurnDetailSchema = deadTurnSchema.extend({
  message: z.string(),
  video_url: z.string().nullable(),
});
export type DeadTurnDetailView = z.infer<typeof deadTurnDetailSchema>;

/** The 202 of a retry. */
export const retriedTurnSchema = z.object({
  id: z.string(),
  conversation_id: z.string(),
  status: z.literal('queued'),
  /** The new one: it ends then, answered or not. */
  deadline_at: timestamp,
});
export type RetriedTurnView = z.infer<typeof retriedTurnSchema>;
