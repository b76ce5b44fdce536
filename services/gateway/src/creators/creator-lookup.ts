import { isUuid, makeReadThrough } from '@sidestage/runtime';
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
  const cache = makeReadThrough<CreatorRow | null>({
    read: readCreator,
    // A creator that is made in a moment is found in that moment.
    keepMs: (row) => (row ? cacheMs : 0),
    max: maxCached,
  });

  options.invalidations.listen((invalidation) => {
    if (invalidation.type === 'creator') cache.forget((key) => key.startsWith(`${invalidation.tenant_id}:`));
  });

  async function readCreator(key: string): Promise<CreatorRow | null> {
    const colon = key.indexOf(':');
    const tenantId = key.slice(0, colon);
    const idOrSlug = key.slice(colon + 1);
    if (idOrSlug === '') return creators.first(tenantId);
    if (isUuid(idOrSlug)) return creators.find(tenantId, { id: idOrSlug });
    return slugPattern.test(idOrSlug) ? creators.find(tenantId, { slug: idOrSlug }) : null;
  }

  return {
    find: (tenantId, idOrSlug) => (idOrSlug === '' ? Promise.resolve(null) : cache.get(`${tenantId}:${idOrSlug}`)),
    first: (tenantId) => cache.get(`${tenantId}:`),
  };
}
