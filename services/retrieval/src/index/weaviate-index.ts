import { type Breaker, BreakerOpenError } from '@sidestage/runtime';
import type { CreatorRef, PassageSet, WordStats } from '@sidestage/store';
import type { WeaviateClient, WhereFilter } from 'weaviate-ts-client';
import { analyseQuery } from '../query/query-analysis.js';
import { packQuery } from './packed-vectors.js';
import type { IndexQuery, PassageIndex } from './passage-index.js';
import { packedCosines } from './passage-pack.js';
import { type Candidate, rank } from './ranking.js';
import { textScore } from './text-scores.js';
import { connectWeaviate, isNotThere, within } from './weaviate-connection.js';
import { classNameOf, type FoundObject, foundObject, olderClassNames, rowsOf } from './weaviate-schema.js';
import { equal, makeWeaviateStore, type WeaviateStore } from './weaviate-store.js';
import { makeWordStats } from './word-stats.js';

export interface WeaviateIndexOptions {
  url: string;
  /** '<name>@<version>' of the embedding model. */
  model: string;
  breaker: Breaker;
  /** In how many passages each word stands, from Postgres: Weaviate counts over all creators of a tenant. */
  wordStats: (creator: CreatorRef) => Promise<WordStats>;
  /** What Postgres holds of a creator: Weaviate answers only when it holds the same. */
  passageSets: (creator: CreatorRef) => Promise<PassageSet[]>;
  /** Longest time a search may take, in milliseconds. Default 800. */
  deadlineMs?: number;
}

export interface WeaviateIndex extends PassageIndex {
  readonly kind: 'weaviate';
  readonly store: WeaviateStore;
}

/** Weaviate does not hold what Postgres holds (yet): its answer would leave sources out. */
export class IndexBehindError extends Error {
  constructor() {
    super('weaviate is being brought up to date');
    this.name = 'IndexBehindError';
  }
}

/** How long a creator that was found whole is taken for whole: another process may find the server emptied first. */
const wholeForMs = 30_000;
/** Before it writes: ingestion does not wait long for a server that is away, the reconciler puts there what is missing. */
const reachMs = 2_000;
/** Passages that are fetched to be ranked, at least. */
const candidates = { all: 100, watched: 30 } as const;
/** Of the vector beside the words when candidates are found; the ranking itself weighs them anew. */
const vectorShare = 0.75;

/**
 * Vectors and words searched by Weaviate, then ranked as the embedded index ranks. Rejects late answers, while its breaker is open, and where it
 * does not hold all of the creator's sources.
 */
export function makeWeaviateIndex(options: WeaviateIndexOptions): WeaviateIndex {
  const client = connectWeaviate(options.url);
  const className = classNameOf(options.model);
  const store = makeWeaviateStore(client, className, olderClassNames(options.model));
  const statsOf = makeWordStats(options.wordStats);
  const deadlineMs = options.deadlineMs ?? 800;

  const whole = new Map<string, { knowledgeVersion: number; until: number }>();
  const keyOf = (creator: CreatorRef) => `${creator.tenant_id}:${creator.creator_id}`;

  async function holdsAll(creator: CreatorRef, wanted: readonly PassageSet[]): Promise<boolean> {
    const there = new Set((await store.sets(creator.tenant_id, creator.creator_id)).map(({ set_id }) => set_id));
    return wanted.every(({ set_id }) => there.has(set_id));
  }

  /** Null when the server lacks something of the creator. A server that says so is well: its breaker stays closed. */
  async function collectWhole(query: IndexQuery, wanted: PassageSet[] | null): Promise<FoundObject[] | null> {
    if (wanted && !(await holdsAll(query, wanted))) return null;
    try {
      return await collect(client, className, query);
    } catch (error) {
      if (isNotThere(error)) return null;
      throw error;
    }
  }

  async function objectsFor(query: IndexQuery): Promise<FoundObject[]> {
    const known = whole.get(keyOf(query));
    const isKnown = known?.knowledgeVersion === query.knowledge_version && known.until > Date.now();
    const wanted = isKnown ? null : await options.passageSets(query);
    const found = await options.breaker.run(() => within(deadlineMs, collectWhole(query, wanted)));
    if (found === null) {
      whole.delete(keyOf(query));
      throw new IndexBehindError();
    }
    if (wanted) whole.set(keyOf(query), { knowledgeVersion: query.knowledge_version, until: Date.now() + wholeForMs });
    return found;
  }

  async function reach(): Promise<void> {
    if (options.breaker.state === 'open') throw new BreakerOpenError(options.breaker.name);
    if (!(await within(reachMs, store.ready()))) throw new Error('weaviate is not ready');
  }

  return {
    kind: 'weaviate',
    store,
    async search(query) {
      const analysis = analyseQuery(query.question, query.lexemes, query.watching);
      const counting = statsOf(query, query.knowledge_version);
      const objects = await objectsFor(query);
      return { hits: rank(candidatesOf(objects, query, await counting), analysis, query.limit), missing: 0 };
    },
    async put(source) {
      whole.delete(keyOf(source));
      await reach();
      await store.put(source);
    },
    async remove({ tenant_id, source_id }) {
      await reach();
      await store.remove(tenant_id, source_id);
    },
    async clear(creator) {
      if (creator) whole.delete(keyOf(creator));
      else whole.clear();
      await (creator ? store.removeCreator(creator.tenant_id, creator.creator_id) : store.removeAll());
    },
    close: async () => options.breaker.close(),
  };
}

async function collect(client: WeaviateClient, className: string, query: IndexQuery): Promise<FoundObject[]> {
  const ask = async (limit: number, sourceId?: string): Promise<FoundObject[]> => {
    const ofCreator = equal('creator_id', query.creator_id);
    const where: WhereFilter =
      sourceId === undefined ? ofCreator : { operator: 'And', operands: [ofCreator, equal('source_id', sourceId)] };
    const request = client.graphql
      .get()
      .withClassName(className)
      .withTenant(query.tenant_id)
      .withWhere(where)
      .withLimit(limit)
      .withFields('source_id lexemes pack _additional { id }');
    const words = query.lexemes.join(' ');
    const properties = ['lexemes'];
    const vector = query.vector && [...query.vector];
    if (vector === null && words === '') return [];
    if (vector === null) request.withBm25({ query: words, properties });
    else if (words === '') request.withNearVector({ vector });
    else request.withHybrid({ query: words, vector, alpha: vectorShare, properties });
    return rowsOf(await request.do(), className, foundObject);
  };
  const [best, watched] = await Promise.all([
    ask(Math.max(candidates.all, query.limit * 4)),
    query.watching === undefined ? [] : ask(candidates.watched, query.watching),
  ]);
  return [...new Map([...best, ...watched].map((object) => [object._additional.id, object])).values()];
}

/** What the ranking looks at, from what came with each passage: the same figures as in the embedded index. */
function candidatesOf(objects: readonly FoundObject[], query: IndexQuery, stats: WordStats | null): Candidate[] {
  const cosines =
    query.vector &&
    packedCosines(
      objects.map(({ pack }) => pack),
      packQuery(query.vector),
    );
  return objects.map(({ source_id, lexemes, _additional: { id } }, at) => {
    const near = cosines?.[at] ?? null;
    return {
      passage_id: id,
      source_id,
      similarity: near?.whole ?? null,
      context: near?.context ?? null,
      small: near?.small ?? null,
      text: textScore(countWords(lexemes ?? ''), query.lexemes, stats),
    };
  });
}

function countWords(text: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const word of text.split(' ')) if (word !== '') counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}
