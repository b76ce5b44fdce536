import type { CreatorRef } from '@sidestage/store';
import type { Shard } from './shard.js';

/** Where shards come from. */
export interface ShardSource {
  /** Every source of the creator that has passages, with its first passage: another one means other passages. */
  firstPassages(creator: CreatorRef): Promise<{ source_id: string; passage_id: string }[]>;
  /** Null when it is gone meanwhile. */
  load(source: { tenant_id: string; source_id: string }): Promise<Shard | null>;
}

interface Loaded {
  knowledgeVersion: number;
  shards: Map<string, { firstPassage: string; shard: Shard }>;
  bytes: number;
}

/** Sources read from Postgres at once. */
const loadsAtOnce = 2;

/**
 * Creators in memory, read when they are first asked for and brought up to date source by source when their knowledge version has moved.
 * Over `maxBytes` the creator asked for longest ago is forgotten.
 */
export class ShardCache {
  readonly #creators = new Map<string, Loaded>();
  readonly #loading = new Map<string, Promise<Loaded>>();

  constructor(
    private readonly source: ShardSource,
    private readonly maxBytes: number,
  ) {}

  async shards(creator: CreatorRef, knowledgeVersion: number): Promise<Shard[]> {
    const key = keyOf(creator);
    let loaded = this.#creators.get(key);
    if (loaded?.knowledgeVersion !== knowledgeVersion) loaded = await this.#refresh(key, creator, knowledgeVersion);
    // Last in the map: asked for most recently.
    this.#creators.delete(key);
    this.#creators.set(key, loaded);
    this.#evict(key);
    return [...loaded.shards.values()].map(({ shard }) => shard);
  }

  get bytes(): number {
    let sum = 0;
    for (const loaded of this.#creators.values()) sum += loaded.bytes;
    return sum;
  }

  forget(creator?: CreatorRef): void {
    if (creator) this.#creators.delete(keyOf(creator));
    else this.#creators.clear();
  }

  /** One load a creator and version at a time: the others wait for it. */
  #refresh(key: string, creator: CreatorRef, knowledgeVersion: number): Promise<Loaded> {
    const name = `${key}:${knowledgeVersion}`;
    const running = this.#loading.get(name);
    if (running) return running;
    const load = this.#load(key, creator, knowledgeVersion).finally(() => this.#loading.delete(name));
    this.#loading.set(name, load);
    return load;
  }

  async #load(key: string, creator: CreatorRef, knowledgeVersion: number): Promise<Loaded> {
    const known = this.#creators.get(key)?.shards;
    const wanted = await this.source.firstPassages(creator);
    const shards: Loaded['shards'] = new Map();
    const missing: typeof wanted = [];
    for (const each of wanted) {
      const had = known?.get(each.source_id);
      // A shard without vectors (they are of another model) is read again: they may have been made since.
      if (had?.firstPassage === each.passage_id && had.shard.whole.length > 0) shards.set(each.source_id, had);
      else missing.push(each);
    }
    const read = async () => {
      for (let next = missing.shift(); next; next = missing.shift()) {
        const shard = await this.source.load({ tenant_id: creator.tenant_id, source_id: next.source_id });
        if (shard) shards.set(next.source_id, { firstPassage: next.passage_id, shard });
      }
    };
    await Promise.all(Array.from({ length: loadsAtOnce }, read));
    let bytes = 0;
    for (const { shard } of shards.values()) bytes += shard.bytes;
    const loaded = { knowledgeVersion, shards, bytes };
    this.#creators.set(key, loaded);
    return loaded;
  }

  #evict(keep: string): void {
    let total = this.bytes;
    for (const [key, loaded] of this.#creators) {
      if (total <= this.maxBytes) return;
      if (key === keep) continue;
      this.#creators.delete(key);
      total -= loaded.bytes;
    }
  }
}

function keyOf({ tenant_id, creator_id }: CreatorRef): string {
  return `${tenant_id}:${creator_id}`;
}
