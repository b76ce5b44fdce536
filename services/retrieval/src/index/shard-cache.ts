import { sleep } from '@sidestage/runtime';
import type { CreatorRef, PassageSet } from '@sidestage/store';
import { LoadLane, type LoadTicket } from './load-lane.js';
import type { Shard } from './shard.js';

/** Where shards come from. */
export interface ShardSource {
  /** Every source of the creator that has passages. */
  passageSets(creator: CreatorRef): Promise<PassageSet[]>;
  /** Null when it is gone meanwhile. */
  load(source: { tenant_id: string; source_id: string }): Promise<Shard | null>;
}

/** What is searched of a creator. */
export interface FoundShards {
  shards: Shard[];
  /** Sources that have passages and are not among `shards` yet. */
  missing: number;
}

export interface ShardCacheOptions {
  /** About what the shards may take in memory. */
  maxBytes: number;
  /** Sources read from Postgres at once, over all creators. */
  readsAtOnce: number;
  /** Longest wait for what changed, while what did not could be searched, in milliseconds. Default 1,500. */
  patienceMs?: number;
}

interface HeldShard {
  setId: string;
  shard: Shard;
}
interface Held {
  knowledgeVersion: number;
  /** Of the load that made it: an older one that ends later does not count. */
  sequence: number;
  shards: Map<string, HeldShard>;
  bytes: number;
  /** When a search (or, read ahead, a fan) asked for it last, in milliseconds. */
  askedAt: number;
}
interface Load {
  ticket: LoadTicket;
  /** Sources it has to end up with; null until Postgres has said. */
  wanted: number | null;
  shards: Map<string, HeldShard>;
  done: Promise<Held>;
}

/** Sources of one creator read from Postgres at once. */
const readsOfCreator = 2;
const defaultPatienceMs = 1_500;

/**
 * Creators in memory, read when they are first asked for and brought up to date source by source when their knowledge version has moved.
 * A search waits for that: what is `ready` is found. Where it takes too long, what is in memory and still stands in Postgres is searched
 * and the rest is said to be missing; a creator that is not in memory at all is always waited for. Over `maxBytes` the creator asked for
 * longest ago is forgotten.
 */
export class ShardCache {
  readonly #creators = new Map<string, Held>();
  readonly #loading = new Map<string, Load>();
  readonly #lane: LoadLane;
  #loads = 0;

  constructor(
    private readonly source: ShardSource,
    private readonly options: ShardCacheOptions,
  ) {
    this.#lane = new LoadLane(options.readsAtOnce);
  }

  async shards(creator: CreatorRef, knowledgeVersion: number): Promise<FoundShards> {
    const key = keyOf(creator);
    const held = this.#creators.get(key);
    if (held) held.askedAt = Date.now();
    if (held?.knowledgeVersion === knowledgeVersion) return whole(held);
    const load = this.#load(key, creator, knowledgeVersion, true);
    const fresh = held ? await this.#inTime(load.done) : await load.done;
    if (!fresh && load.wanted !== null) {
      const shards = [...load.shards.values()].map(({ shard }) => shard);
      return { shards, missing: load.wanted - shards.length };
    }
    const found = fresh ?? (await load.done);
    found.askedAt = Date.now();
    this.#evict(key);
    return whole(found);
  }

  /**
   * Reads a creator ahead of being asked for; searches go first. `askedAt`: when fans last spoke to it, in milliseconds. False when there
   * is no room for it.
   */
  async readAhead(creator: CreatorRef, knowledgeVersion: number, askedAt: number): Promise<boolean> {
    const key = keyOf(creator);
    if (this.#creators.has(key)) return true;
    if (this.bytes >= this.options.maxBytes) return false;
    const held = await this.#load(key, creator, knowledgeVersion, false).done;
    if (held.askedAt === 0) held.askedAt = askedAt;
    if (this.bytes <= this.options.maxBytes) return true;
    if (held.askedAt === askedAt) this.#creators.delete(key);
    return false;
  }

  /** What was just written of a source, where its creator is in memory: the next search need not read it. */
  put(creator: CreatorRef, setId: string, shard: Shard): void {
    const held = this.#creators.get(keyOf(creator));
    if (!held) return;
    held.bytes += shard.bytes - (held.shards.get(shard.source_id)?.shard.bytes ?? 0);
    held.shards.set(shard.source_id, { setId, shard });
  }

  get bytes(): number {
    let sum = 0;
    for (const held of this.#creators.values()) sum += held.bytes;
    return sum;
  }

  forget(creator?: CreatorRef): void {
    if (creator) this.#creators.delete(keyOf(creator));
    else this.#creators.clear();
  }

  /** Null when it takes longer than patience lasts. */
  async #inTime(done: Promise<Held>): Promise<Held | null> {
    const inTime = new AbortController();
    try {
      return await Promise.race([
        done,
        sleep(this.options.patienceMs ?? defaultPatienceMs, inTime.signal).then(() => null),
      ]);
    } finally {
      inTime.abort();
    }
  }

  /** One load a creator and version at a time: the others wait for it. A search makes a load ahead of time urgent. */
  #load(key: string, creator: CreatorRef, knowledgeVersion: number, urgent: boolean): Load {
    const name = `${key}:${knowledgeVersion}`;
    const running = this.#loading.get(name);
    if (running) {
      if (urgent) running.ticket.urgent = true;
      this.#lane.startNext();
      return running;
    }
    const load: Omit<Load, 'done'> = { ticket: { urgent }, wanted: null, shards: new Map() };
    const done = this.#read(key, creator, knowledgeVersion, load).finally(() => this.#loading.delete(name));
    // Of who stopped waiting it may be nobody's any more.
    done.catch(() => undefined);
    const started = Object.assign(load, { done });
    this.#loading.set(name, started);
    return started;
  }

  async #read(key: string, creator: CreatorRef, version: number, load: Omit<Load, 'done'>): Promise<Held> {
    this.#loads += 1;
    const sequence = this.#loads;
    const known = this.#creators.get(key)?.shards;
    const wanted = await this.source.passageSets(creator);
    const missing: typeof wanted = [];
    for (const each of wanted) {
      const had = known?.get(each.source_id);
      // A shard without vectors (they are of another model) is read again: they may have been made since.
      if (had?.setId === each.set_id && had.shard.whole.count > 0) load.shards.set(each.source_id, had);
      else missing.push(each);
    }
    load.wanted = wanted.length;
    const read = async () => {
      for (let next = missing.shift(); next; next = missing.shift()) {
        await this.#readOne(creator.tenant_id, next, load);
      }
    };
    await Promise.all(Array.from({ length: readsOfCreator }, read));
    let bytes = 0;
    for (const { shard } of load.shards.values()) bytes += shard.bytes;
    const before = this.#creators.get(key);
    const askedAt = before?.askedAt ?? 0;
    const held = { knowledgeVersion: version, sequence, shards: load.shards, bytes, askedAt };
    if (!before || before.sequence < sequence) this.#creators.set(key, held);
    return held;
  }

  async #readOne(tenantId: string, next: PassageSet, load: Omit<Load, 'done'>): Promise<void> {
    const startedAt = performance.now();
    const shard = await this.#lane.run(load.ticket, () =>
      this.source.load({ tenant_id: tenantId, source_id: next.source_id }),
    );
    if (shard) load.shards.set(next.source_id, { setId: next.set_id, shard });
    // Ahead of time at most half of the time: the machine has others to serve.
    if (!load.ticket.urgent) await sleep(performance.now() - startedAt);
  }

  #evict(keep: string): void {
    let total = this.bytes;
    for (const [key, held] of [...this.#creators].sort(([, a], [, b]) => a.askedAt - b.askedAt)) {
      if (total <= this.options.maxBytes) return;
      if (key === keep) continue;
      this.#creators.delete(key);
      total -= held.bytes;
    }
  }
}

function whole(held: Held): FoundShards {
  return { shards: [...held.shards.values()].map(({ shard }) => shard), missing: 0 };
}

function keyOf({ tenant_id, creator_id }: CreatorRef): string {
  return `${tenant_id}:${creator_id}`;
}
