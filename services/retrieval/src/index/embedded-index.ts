import { setImmediate as nextTick } from 'node:timers/promises';
import type { CreatorRef, PassageRepository } from '@sidestage/store';
import { analyseQuery, type QueryAnalysis } from '../query/query-analysis.js';
import { contextScores } from './contexts.js';
import { dotRows, type PackedQuery, packQuery } from './packed-vectors.js';
import type { IndexQuery, PassageIndex } from './passage-index.js';
import { type Candidate, rank, scoreOf } from './ranking.js';
import { makeShard, type Shard } from './shard.js';
import { ShardCache } from './shard-cache.js';
import { textScores } from './text-scores.js';

export interface EmbeddedIndexOptions {
  passages: Pick<PassageRepository, 'passageSets' | 'indexed'>;
  /** '<name>@<version>' of the embedding model. */
  model: string;
  /** Memory for vectors and words. */
  maxBytes: number;
  /** Sources read from Postgres at once. Default 2. */
  readsAtOnce?: number;
}

/** Rows of vectors looked at before other work gets its turn: some 4 ms. */
const rowsInOneGo = 30_000;
/** Candidates that are ranked, for each passage wanted: room to prefer other sources. */
const candidatesPerPassage = 8;

export interface EmbeddedIndex extends PassageIndex {
  readonly kind: 'embedded';
  /** Takes a creator into memory before it is asked for; `activeAt`: when fans last spoke to it. False when there is no room for it. */
  readAhead(creator: CreatorRef & { knowledge_version: number; activeAt: Date }): Promise<boolean>;
}

/** Exact cosine and BM25 over passages held in memory, read from Postgres. Nothing is ever approximated. */
export function makeEmbeddedIndex(options: EmbeddedIndexOptions): EmbeddedIndex {
  const { passages, model, maxBytes, readsAtOnce = 2 } = options;
  const cache = new ShardCache(
    {
      passageSets: (creator) => passages.passageSets(creator),
      load: async (source) => {
        const found = await passages.indexed(source, model);
        return found.length === 0 ? null : makeShard({ source_id: source.source_id, passages: found });
      },
    },
    { maxBytes, readsAtOnce },
  );
  return {
    kind: 'embedded',
    async search(query) {
      const { shards, missing } = await cache.shards(query, query.knowledge_version);
      const analysis = analyseQuery(query.question, query.lexemes, query.watching);
      const candidates = await collect(shards, query, analysis);
      return { hits: rank(candidates, analysis, query.limit), missing };
    },
    readAhead: (creator) => cache.readAhead(creator, creator.knowledge_version, creator.activeAt.getTime()),
    // What changed is also read from Postgres when the creator's knowledge version has moved.
    put: async (source) => {
      if (source.passages.length > 0) cache.put(source, source.set_id, makeShard(source));
    },
    remove: async () => undefined,
    clear: async (creator?: CreatorRef) => cache.forget(creator),
    close: async () => cache.forget(),
  };
}

async function collect(shards: readonly Shard[], query: IndexQuery, analysis: QueryAnalysis): Promise<Candidate[]> {
  const texts = textScores(shards, query.lexemes);
  const vector = query.vector && packQuery(query.vector);
  const best = new BestCandidates(Math.max(40, query.limit * candidatesPerPassage), analysis);
  let rows = 0;
  for (const [at, shard] of shards.entries()) {
    offerShard(shard, texts[at] ?? new Float32Array(), vector, best);
    rows += shard.smallOwner.length + shard.passageIds.length;
    if (rows > rowsInOneGo) {
      rows = 0;
      await nextTick();
    }
  }
  return best.candidates;
}

function offerShard(shard: Shard, texts: Float32Array, vector: PackedQuery | null, best: BestCandidates): void {
  const usable = vector !== null && shard.whole.count > 0 && shard.whole.dimensions === vector.dimensions;
  const whole = usable ? dotRows(shard.whole, vector) : null;
  const context = whole ? contextScores(whole) : null;
  const small = usable ? bestSmall(shard, dotRows(shard.small, vector)) : null;
  for (const [at, passage_id] of shard.passageIds.entries()) {
    const text = texts[at] ?? 0;
    if (whole === null && text === 0) continue;
    best.offer({
      passage_id,
      source_id: shard.source_id,
      similarity: whole?.[at] ?? null,
      context: context?.[at] ?? null,
      small: small?.[at] ?? null,
      text,
    });
  }
}

function bestSmall(shard: Shard, products: Float32Array): Float32Array {
  const best = new Float32Array(shard.passageIds.length).fill(-1);
  for (const [at, product] of products.entries()) {
    const owner = shard.smallOwner[at] ?? 0;
    if (product > (best[owner] ?? -1)) best[owner] = product;
  }
  return best;
}

/** The `size` best offered so far. */
class BestCandidates {
  readonly #kept: { candidate: Candidate; score: number }[] = [];

  constructor(
    private readonly size: number,
    private readonly analysis: QueryAnalysis,
  ) {}

  get candidates(): Candidate[] {
    return this.#kept.map(({ candidate }) => candidate);
  }

  offer(candidate: Candidate): void {
    const score = scoreOf(candidate, this.analysis);
    const worst = this.#kept.at(-1);
    if (worst && this.#kept.length >= this.size && score <= worst.score) return;
    let low = 0;
    let high = this.#kept.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#kept[middle]?.score ?? 0) >= score) low = middle + 1;
      else high = middle;
    }
    this.#kept.splice(low, 0, { candidate, score });
    if (this.#kept.length > this.size) this.#kept.pop();
  }
}
