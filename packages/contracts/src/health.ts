import { z } from 'zod';

/** `failing`: it cannot do its work. `degraded`: it does, with something missing. */
const healthStatus = z.enum(['ok', 'degraded', 'failing']);

/** Bodies of the health and information routes every service has. */
export const healthSchema = z.object({
  status: healthStatus,
  service: z.string(),
  version: z.string(),
  uptime_seconds: z.number().int(),
});
export type HealthView = z.infer<typeof healthSchema>;

export const dependencySchema = z.object({
  /** `unused`: this service is set up without it. */
  status: z.enum([...healthStatus.options, 'unused']),
  latency_ms: z.number().nullable(),
  detail: z.string().optional(),
  pool: z
    .object({ total: z.number().int(), idle: z.number().int(), waiting: z.number().int(), max: z.number().int() })
    .optional(),
});
export type DependencyView = z.infer<typeof dependencySchema>;

export const detailedHealthSchema = healthSchema.extend({
  dependencies: z.record(z.string(), dependencySchema),
  queue: z
    .object({
      waiting: z.number().int(),
      running: z.number().int(),
      /** Age of the job that has waited longest; null when none waits. */
      oldest_seconds: z.number().nullable(),
    })
    .optional(),
  /** Open WebSockets. */
  connections: z.number().int().optional(),
});
export type DetailedHealthView = z.infer<typeof detailedHealthSchema>;

/** `GET /health/live` and `/health/ready`. */
export const probeSchema = z.object({ status: z.enum(['ok', 'failing']), detail: z.string().optional() });
