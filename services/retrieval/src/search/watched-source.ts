import { videoKey } from '@sidestage/contracts';
import type { CreatorRef, PassageRepository, WatchableSource } from '@sidestage/store';

/** Creators whose addresses are kept in memory. */
const kept = 200;
/** Our own page of a source: `<PUBLIC_WEB_URL>/watch/<source_id>`. */
const ownPage = /\/watch\/([0-9a-f-]{36})$/;

interface Known {
  knowledgeVersion: number;
  byAddress: ReadonlyMap<string, WatchableSource>;
}

/** Finds the source of a creator that an address the fan is at is of; null where it is none of theirs. */
export function makeWatchedSources(passages: Pick<PassageRepository, 'watchable'>) {
  const creators = new Map<string, Known>();

  async function addressesOf(creator: CreatorRef, knowledgeVersion: number): Promise<Known['byAddress']> {
    const name = `${creator.tenant_id}:${creator.creator_id}`;
    const known = creators.get(name);
    creators.delete(name);
    const fresh = known?.knowledgeVersion === knowledgeVersion ? known : await read(creator, knowledgeVersion);
    creators.set(name, fresh);
    const oldest = creators.keys().next();
    if (creators.size > kept && !oldest.done) creators.delete(oldest.value);
    return fresh.byAddress;
  }

  async function read(creator: CreatorRef, knowledgeVersion: number): Promise<Known> {
    const byAddress = new Map<string, WatchableSource>();
    for (const source of await passages.watchable(creator)) {
      byAddress.set(source.source_id, source);
      if (source.url !== null) byAddress.set(videoKey(source.url), source);
    }
    return { knowledgeVersion, byAddress };
  }

  return async (
    creator: CreatorRef,
    knowledgeVersion: number,
    address: string | undefined,
  ): Promise<WatchableSource | null> => {
    if (address === undefined) return null;
    const byAddress = await addressesOf(creator, knowledgeVersion);
    const own = ownPage.exec(new URL(address).pathname)?.[1];
    return (own ? byAddress.get(own) : undefined) ?? byAddress.get(videoKey(address)) ?? null;
  };
}
