import { z } from 'zod';

/**
 * The job catalogue: name, payload, retry policy and timeouts of every queue, side by side. Payloads carry ids; the row in Postgres owns
 * the truth. A reader accepts the version before its own: new fields are optional.
 */
export const chatJob = z.object({
  v: z.literal(1),
  tenant_id: z.string(),
  turn_id: z.string(),
  request_id: z.string().optional(),
  traceparent: z.string().optional(),
});
export type ChatJob = z.infer<typeof chatJob>;

export const ingestJob = z.object({
  v: z.literal(1),
  tenant_id: z.string(),
  source_id: z.string(),
  /** Content version to ingest; a job of an older version ends without effect. */
  content_version: z.number().int(),
  request_id: z.string().optional(),
});
export type IngestJob = z.infer<typeof ingestJob>;

export const queues = {
  chat: {
    name: 'chat',
    payload: chatJob,
    /** BullMQ's own attempts: the turn's failures are counted in Postgres, this only bounds a job that cannot even be claimed. */
    attempts: 5,
    backoffMs: { first: 500, max: 30_000, jitter: 0.5 },
    lockMs: 5_000,
    /** One short script a second in the whole fleet; how soon jobs of a worker known to be dead begin again hangs on it. */
    stalledCheckMs: 1_000,
    maxStalledCount: 20,
  },
  ingest: {
    name: 'ingest',
    payload: ingestJob,
    attempts: 4,
    backoffMs: { first: 1_000, max: 60_000, jitter: 0.5 },
    lockMs: 30_000,
    stalledCheckMs: 15_000,
    maxStalledCount: 20,
  },
} as const;
