import { type Logger, sleep } from '@sidestage/runtime';
import type { CreatorRef, PassageRepository } from '@sidestage/store';
import type { WeaviateStore } from './weaviate-store.js';

export interface ReconcileOptions {
  store: Pick<WeaviateStore, 'tenants' | 'sets' | 'remove' | 'removeTenant' | 'removeOlder'>;
  passages: Pick<PassageRepository, 'tenantsWithPassages' | 'passageSetsOfTenant'>;
  /** Puts a source as it stands in Postgres. */
  put: (source: CreatorRef & { source_id: string }) => Promise<void>;
}

export interface ReconcileReport {
  put: number;
  removed: number;
}

/** Makes Weaviate hold what Postgres holds: puts sources that are missing or of an earlier version, removes those that are gone. */
export async function reconcile(options: ReconcileOptions): Promise<ReconcileReport> {
  const { store, passages } = options;
  const report = { put: 0, removed: 0 };
  const [wanted, stored] = [await passages.tenantsWithPassages(), await store.tenants()];
  for (const tenant of new Set([...wanted, ...stored])) {
    const sets = stored.includes(tenant) ? await store.sets(tenant) : [];
    const truth = await passages.passageSetsOfTenant(tenant);
    const there = new Set(sets.map(({ set_id }) => set_id));
    const sources = new Set(truth.map(({ source_id }) => source_id));
    for (const source of truth) {
      if (there.has(source.set_id)) continue;
      await options.put({ tenant_id: tenant, creator_id: source.creator_id, source_id: source.source_id });
      report.put += 1;
    }
    for (const { source_id } of sets) {
      if (sources.has(source_id)) continue;
      await store.remove(tenant, source_id);
      report.removed += 1;
    }
    if (truth.length === 0 && stored.includes(tenant)) await store.removeTenant(tenant);
  }
  await store.removeOlder();
  return report;
}

export interface Reconciler {
  /** A change did not get there: reconciles soon, and again until it is done. */
  nudge(): void;
  close(): Promise<void>;
}

/** Between two tries after a failure. */
const retryMs = 2_000;

/** Reconciles now and every `everyMs`, sooner after a failure; an outage of Weaviate is said once. */
export function runReconciler(options: ReconcileOptions & { everyMs: number; logger: Logger }): Reconciler {
  const stopping = new AbortController();
  let waking = new AbortController();
  let down = false;
  const loop = (async () => {
    while (!stopping.signal.aborted) {
      waking = new AbortController();
      try {
        const report = await reconcile(options);
        if (down || report.put + report.removed > 0) options.logger.info(report, 'weaviate holds what postgres holds');
        down = false;
      } catch (error) {
        if (!down) options.logger.warn({ err: error }, 'weaviate could not be brought up to date, trying on');
        down = true;
      }
      const until = down ? stopping.signal : AbortSignal.any([stopping.signal, waking.signal]);
      await sleep(down ? retryMs : options.everyMs, until).catch(() => undefined);
    }
  })();
  return {
    nudge: () => waking.abort(),
    async close() {
      stopping.abort();
      await loop;
    },
  };
}
