import type { DependencyView } from '@sidestage/contracts';
import type { Redis } from '@sidestage/runtime';
import { z } from 'zod';
import { keys } from './keys.js';

/** A worker that has not reported for so long does not count. Milliseconds. */
const leaseMs = 15_000;

const reportSchema = z.object({
  status: z.enum(['ok', 'degraded', 'failing']),
  /** `<provider>/<model>` of those that are not asked at the moment. */
  resting: z.array(z.string()),
});
/** How the models stand for one worker. */
export type ModelReport = z.infer<typeof reportSchema>;
const storedSchema = reportSchema.extend({ until_ms: z.number() });

/** Where the workers say how their models stand, so that a gateway, which asks no model, can tell. */
export interface ModelReports {
  /** Counts for 15 s. */
  report(workerId: string, report: ModelReport): Promise<void>;
  withdraw(workerId: string): Promise<void>;
  /** Over all workers that reported. `degraded` when none did: then nobody answers. */
  view(): Promise<DependencyView>;
}

export function makeModelReports({ redis, now = Date.now }: { redis: Redis; now?: () => number }): ModelReports {
  /** Reports in force; what others left behind is cleared away. */
  async function inForce(): Promise<ModelReport[]> {
    const stored = await redis.hgetall(keys.modelReports());
    const reports: ModelReport[] = [];
    const ended: string[] = [];
    for (const [workerId, text] of Object.entries(stored)) {
      const { until_ms, ...report } = storedSchema.parse(JSON.parse(text));
      if (until_ms > now()) reports.push(report);
      else ended.push(workerId);
    }
    if (ended.length > 0) await redis.hdel(keys.modelReports(), ...ended);
    return reports;
  }

  return {
    async report(workerId, report) {
      await redis.hset(keys.modelReports(), workerId, JSON.stringify({ ...report, until_ms: now() + leaseMs }));
    },
    async withdraw(workerId) {
      await redis.hdel(keys.modelReports(), workerId);
    },
    async view() {
      const reports = await inForce();
      if (reports.length === 0)
        return { status: 'degraded', latency_ms: null, detail: 'no chat worker is there to ask a model' };
      const [first, ...others] = reports.map(({ status }) => status);
      const status = first !== undefined && others.every((other) => other === first) ? first : 'degraded';
      const resting = [...new Set(reports.flatMap((report) => report.resting))];
      return {
        status,
        latency_ms: null,
        ...(resting.length > 0 && { detail: `not asked at the moment: ${resting.join(', ')}` }),
      };
    },
  };
}
