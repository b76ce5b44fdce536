import { describe, expect, test } from '@jest/globals';
import { makeShard, type Shard } from './shard.js';
import { ShardCache } from './shard-cache.js';

const creatorOf = (id: string) => ({ tenant_id: 'tenant', creator_id: id });
const shardOf = (source_id: string): Shard =>
  makeShard({
    source_id,
    passages: [{ id: `${source_id}-first`, lexemes: [], whole: Float32Array.of(1, 0), small: [] }],
  });
const bytesOfOne = shardOf('any').bytes;

/** Sources by creator; reads wait while they are held, and end in the order in which they are let go. */
function makeSource(sources: Record<string, string[]>) {
  const held: { source: string; go: () => void }[] = [];
  const read: string[] = [];
  let holding = false;
  return {
    sources,
    read,
    hold: () => {
      holding = true;
    },
    /** The sources whose read has begun and waits. */
    waiting: () => held.map(({ source }) => source),
    release: () => {
      holding = false;
      for (const { go } of held.splice(0)) go();
    },
    releaseOne: () => held.shift()?.go(),
    passageSets: async ({ creator_id }: { creator_id: string }) =>
      (sources[creator_id] ?? []).map((source_id) => ({ source_id, set_id: `${source_id}-first` })),
    load: async ({ source_id }: { source_id: string }) => {
      if (holding) await new Promise<void>((go) => held.push({ source: source_id, go }));
      read.push(source_id);
      return shardOf(source_id);
    },
  };
}
const namesOf = (shards: Shard[]) => shards.map(({ source_id }) => source_id).toSorted();
const settled = () => new Promise((resolve) => setTimeout(resolve, 20));

describe('creators in memory', () => {
  test('are read once, and only what changed is read again', async () => {
    const source = makeSource({ ann: ['a1', 'a2'] });
    const cache = new ShardCache(source, { maxBytes: 1e6, readsAtOnce: 2 });
    await Promise.all([cache.shards(creatorOf('ann'), 1), cache.shards(creatorOf('ann'), 1)]);
    source.sources.ann = ['a2', 'a3'];
    const { shards, missing } = await cache.shards(creatorOf('ann'), 2);
    expect(namesOf(shards)).toEqual(['a2', 'a3']);
    expect(missing).toBe(0);
    expect(source.read).toEqual(['a1', 'a2', 'a3']);
  });

  test('take what ingestion has just written without reading it', async () => {
    const source = makeSource({ ann: ['a1'] });
    const cache = new ShardCache(source, { maxBytes: 1e6, readsAtOnce: 2 });
    await cache.shards(creatorOf('ann'), 1);
    source.sources.ann = ['a1', 'a2'];
    cache.put(creatorOf('ann'), 'a2-first', shardOf('a2'));
    expect(namesOf((await cache.shards(creatorOf('ann'), 2)).shards)).toEqual(['a1', 'a2']);
    expect(source.read).toEqual(['a1']);
    expect(cache.bytes).toBe(2 * bytesOfOne);
  });

  test('whose change takes too long are searched as far as they are there, without what was deleted, and it is said', async () => {
    const source = makeSource({ ann: ['a1', 'a2'] });
    const cache = new ShardCache(source, { maxBytes: 1e6, readsAtOnce: 2, patienceMs: 10 });
    await cache.shards(creatorOf('ann'), 1);
    source.sources.ann = ['a2', 'a3'];
    source.hold();
    const early = await cache.shards(creatorOf('ann'), 2);
    expect([namesOf(early.shards), early.missing]).toEqual([['a2'], 1]);
    source.release();
    await settled();
    const late = await cache.shards(creatorOf('ann'), 2);
    expect([namesOf(late.shards), late.missing]).toEqual([['a2', 'a3'], 0]);
  });

  test('that are there for the first time are waited for, however long it takes', async () => {
    const source = makeSource({ ann: ['a1'] });
    const cache = new ShardCache(source, { maxBytes: 1e6, readsAtOnce: 2, patienceMs: 1 });
    source.hold();
    const asked = cache.shards(creatorOf('ann'), 1);
    await settled();
    source.release();
    expect(namesOf((await asked).shards)).toEqual(['a1']);
  });

  test('asked for longest ago are forgotten when there is no more room', async () => {
    const source = makeSource({ ann: ['a1'], bob: ['b1'], cy: ['c1'] });
    const cache = new ShardCache(source, { maxBytes: 2 * bytesOfOne, readsAtOnce: 2 });
    for (const name of ['ann', 'bob', 'ann', 'cy']) {
      await cache.shards(creatorOf(name), 1);
      await settled();
    }
    await cache.shards(creatorOf('ann'), 1);
    expect(source.read).toEqual(['a1', 'b1', 'c1']);
    await cache.shards(creatorOf('bob'), 1);
    expect(source.read).toEqual(['a1', 'b1', 'c1', 'b1']);
  });
});

describe('reading ahead', () => {
  test('fills the room there is with the first, and keeps what is there', async () => {
    const source = makeSource({ ann: ['a1'], bob: ['b1'], cy: ['c1'] });
    const cache = new ShardCache(source, { maxBytes: 2 * bytesOfOne, readsAtOnce: 2 });
    const kept: boolean[] = [];
    for (const [at, name] of ['ann', 'bob', 'cy'].entries())
      kept.push(await cache.readAhead(creatorOf(name), 1, 1_000 - at));
    expect(kept).toEqual([true, true, false]);
    await cache.shards(creatorOf('ann'), 1);
    await cache.shards(creatorOf('bob'), 1);
    expect(source.read.filter((name) => name !== 'c1')).toEqual(['a1', 'b1']);
    // A search for the one that did not fit takes the place of the one fans spoke to longest ago.
    await cache.shards(creatorOf('cy'), 1);
    expect(cache.bytes).toBe(2 * bytesOfOne);
  });

  test('lets searches go first: one read at a time, and none while a search reads', async () => {
    const source = makeSource({ ann: ['a1', 'a2', 'a3'], bob: ['b1', 'b2'] });
    const cache = new ShardCache(source, { maxBytes: 1e6, readsAtOnce: 3 });
    source.hold();
    const ahead = cache.readAhead(creatorOf('ann'), 1, 1);
    await settled();
    expect(source.waiting()).toEqual(['a1']);
    const asked = cache.shards(creatorOf('bob'), 1);
    await settled();
    expect(source.waiting()).toEqual(['a1', 'b1', 'b2']);
    source.releaseOne();
    await settled();
    expect(source.waiting()).toEqual(['b1', 'b2']);
    source.release();
    expect(namesOf((await asked).shards)).toEqual(['b1', 'b2']);
    expect(await ahead).toBe(true);
  });

  test('hurries when a search asks for the creator that is being read', async () => {
    const source = makeSource({ ann: ['a1', 'a2', 'a3'] });
    const cache = new ShardCache(source, { maxBytes: 1e6, readsAtOnce: 3 });
    source.hold();
    const ahead = cache.readAhead(creatorOf('ann'), 1, 1);
    await settled();
    const asked = cache.shards(creatorOf('ann'), 1);
    await settled();
    expect(source.waiting()).toEqual(['a1', 'a2']);
    source.release();
    expect(namesOf((await asked).shards)).toEqual(['a1', 'a2', 'a3']);
    expect(source.read).toHaveLength(3);
    await ahead;
  });
});
