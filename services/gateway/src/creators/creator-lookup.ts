import { isUuid } from '@sidestage/runtime';
import type { CreatorRepository, CreatorRow } from '@sidestage/store';
import type { Invalidations } from '../auth/invalidations.js';

const maxCached = 5_000;
/** Names are sought among slugs only when they could be one. */
const slugPattern = /^[a-z0-9-]{1,64}$/;

/** Creators as every chat request needs them, cached for CONFIG_CACHE_TTL. */
export interface CreatorLookup {
  /** By id or slug, public or not; null when the tenant has none. */
  find(tenantId: string, idOrSlug: string): Promise<CreatorRow | null>;
  /** The tenant's first public creator. */
  first(tenantId: string): Promise<CreatorRow | null>;
}

export function makeCreatorLookup(options: {
  creators: CreatorRepository;
  invalidations: Invalidations;
  cacheMs: number;
}): CreatorLookup {
  const { creators, cacheMs } = options;
  const cache = new Map<string, { row: CreatorRow; until: number }>();

  options.invalidations.listen((invalidation) => {
    if (invalidation.type !== 'creator') return;
    for (const key of cache.keys()) if (key.startsWith(invalidation.tenant_id)) cache.delete(key);
  });

  async function cached(key: string, read: () => Promise<CreatorRow | null>): Promise<CreatorRow | null> {
    const known = cache.get(key);
    if (known && known.until > Date.now()) return known.row;
    const row = await read();
    cache.delete(key);
    if (row && cacheMs > 0) cache.set(key, { row, until: Date.now() + cacheMs });
    if (cache.size > maxCached) {
      const oldest = cache.keys().next().value;
      if (oldest !== undefined) cache.delete(oldest);
    }
    return row;
  }

  return {
    find: (tenantId, idOrSlug) =>
      cached(`${tenantId}:${idOrSlug}`, async () => {
        if (isUuid(idOrSlug)) return creators.find(tenantId, { id: idOrSlug });
        return slugPattern.test(idOrSlug) ? creators.find(tenantId, { slug: idOrSlug }) : null;
      }),
    first: (tenantId) => cached(`${tenantId}:`, () => creators.first(tenantId)),
  };
}
