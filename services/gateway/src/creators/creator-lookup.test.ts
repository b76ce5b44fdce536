import { describe, expect, it } from '@jest/globals';
import type { CreatorRepository, CreatorRow } from '@sidestage/store';
import type { Invalidation } from '../auth/invalidations.js';
import { makeCreatorLookup } from './creator-lookup.js';

const tenant = '01a1feea-a3fb-7768-9da6-a2e8439549c0';

/** A lookup over a repository that knows `marta` and takes a moment to answer. */
function makeLookup() {
  const asked: string[] = [];
  const tell: ((invalidation: Invalidation) => void)[] = [];
  const find = async (_tenant: string, by: { id?: string; slug?: string }) => {
    asked.push(by.slug ?? by.id ?? '');
    await new Promise((resolve) => setTimeout(resolve, 5));
    return by.slug === 'marta' ? ({ slug: 'marta' } as CreatorRow) : null;
  };
  const lookup = makeCreatorLookup({
    creators: { find, first: async () => null } as unknown as CreatorRepository,
    invalidations: {
      listen: (listener) => void tell.push(listener),
      publish: () => undefined,
      close: async () => undefined,
    },
    cacheMs: 60_000,
  });
  return {
    lookup,
    asked,
    invalidate: (invalidation: Invalidation) => tell.forEach((listener) => void listener(invalidation)),
  };
}

describe('the lookup of creators', () => {
  it('asks Postgres once for five hundred fans who come in the same moment', async () => {
    const { lookup, asked } = makeLookup();
    const found = await Promise.all(Array.from({ length: 500 }, () => lookup.find(tenant, 'marta')));
    expect(new Set(found.map((row) => row?.slug))).toEqual(new Set(['marta']));
    expect(asked).toEqual(['marta']);
  });

  it('asks again once the creator has changed, and for one that was not there', async () => {
    const { lookup, asked, invalidate } = makeLookup();
    await lookup.find(tenant, 'marta');
    invalidate({ type: 'creator', tenant_id: tenant });
    await lookup.find(tenant, 'marta');
    await lookup.find(tenant, 'nobody');
    await lookup.find(tenant, 'nobody');
    expect(asked).toEqual(['marta', 'marta', 'nobody', 'nobody']);
  });

  it('asks for no name that could be no slug', async () => {
    const { lookup, asked } = makeLookup();
    expect(await lookup.find(tenant, "'; drop table creators")).toBeNull();
    expect(asked).toEqual([]);
  });
});
