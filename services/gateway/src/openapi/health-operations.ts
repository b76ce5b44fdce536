import { detailedHealthSchema, healthSchema, probeSchema } from '@sidestage/contracts';
import { type Operation, ok, z } from './operation.js';

const read = { method: 'get', tag: 'Health', credential: 'none' } as const;
/** Told in the body, which is the same as that of a healthy answer. */
const failing = (schema: z.ZodType) => ({ status: 503, description: 'Failing', schema });

export const healthOperations: Operation[] = [
  { ...read, path: '/health', summary: 'Whether it works', answers: [ok(healthSchema), failing(healthSchema)] },
  {
    ...read,
    path: '/health/detailed',
    summary: 'What it depends on, its queue and connections (loopback and private addresses)',
    answers: [ok(detailedHealthSchema), failing(detailedHealthSchema)],
    problems: ['not_found'],
  },
  {
    ...read,
    path: '/health/live',
    summary: 'Whether the process makes progress',
    answers: [ok(probeSchema), failing(probeSchema)],
  },
  {
    ...read,
    path: '/health/ready',
    summary: 'Whether it can accept durably and is not draining',
    answers: [ok(probeSchema), failing(probeSchema)],
  },
  {
    ...read,
    path: '/metrics',
    summary: 'Prometheus metrics (loopback and private addresses)',
    answers: [{ status: 200, description: 'OK', type: 'text/plain', schema: z.string() }],
    problems: ['not_found'],
  },
  {
    ...read,
    path: '/info',
    summary: 'Which version runs',
    answers: [ok(z.object({ service: z.string(), version: z.string(), node: z.string() }))],
  },
  {
    ...read,
    path: '/api/health',
    summary: 'Health as the older systems told it',
    answers: [ok(olderHealth()), failing(olderHealth())],
  },
];

function olderHealth(): z.ZodType {
  return z.object({
    status: z.enum(['running', 'failing']),
    database: z.enum(['connected', 'disconnected']),
    connection_pool: z.object({
      status: z.enum(['active', 'failing']),
      min_pool_size: z.number().int(),
      max_pool_size: z.number().int(),
    }),
    scalability: z.object({
      max_pool_size: z.number().int(),
      concurrent_tasks_limit: z.number().int(),
      rate_limit_per_minute: z.number().int(),
    }),
  });
}
