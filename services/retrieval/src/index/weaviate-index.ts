import { type Breaker, BreakerOpenError } from '@sidestage/runtime';
import type { CreatorRef, PassageSet } from '@sidestage/store';
import type { WeaviateClient, WhereFilter } from 'weaviate-ts-client';
import { analyseQuery } from '../query/query-analysis.js';
import type { IndexQuery, PassageIndex } from './passage-index.js';
import { type Candidate, rank } from './ranking.js';
import { connectWeaviate, isNotThere, within } from './weaviate-connection.js';
import { classNameOf, type FoundObject, foundObject, rowsOf } from './weaviate-schema.js';
import { equal, makeWeaviateStore, type WeaviateStore } from './weaviate-store.js';

export interface WeaviateIndexOptions {
  url: string;
  /** '<name>@<version>' of the embedding model. */
  model: string;
  breaker: Breaker;
  /** Vectors of passages themselves, from Postgres: Weaviate holds them with their surroundings. */
  wholeVectors: (creator: CreatorRef, passageIds: string[]) => Promise<Map<string, Float32Array>>;
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
/** Objects asked for of each kind, at least; a passage has some three small windows. */
const least = { context: 80, small: 200, text: 80 } as const;
/** BM25 that a passage full of one rare word has, about: what makes a score a share of the question's words, as in the embedded index. */
const fullWordScore = 4;

/**
 * Vectors and words searched by Weaviate, then ranked as the embedded index ranks. Rejects late answers, while its breaker is open, and where it
 * does not hold all of the creator's sources.
 */
export function makeWeaviateIndex(options: WeaviateIndexOptions): WeaviateIndex {
  const client = connectWeaviate(options.url);
  const className = classNameOf(options.model);
  const store = makeWeaviateStore(client, className);
  const deadlineMs = options.deadlineMs ?? 800;

  const whole = new Map<string, { knowledgeVersion: number; until: number }>();
  const keyOf = (creator: CreatorRef) => `${creator.tenant_id}:${creator.creator_id}`;

  async function holdsAll(creator: CreatorRef, wanted: readonly PassageSet[]): Promise<boolean> {
    const there = new Set((await store.sets(creator.tenant_id, creator.creator_id)).map(({ set_id }) => set_id));
    return wanted.every(({ set_id }) => there.has(set_id));
  }

  /** Null when the server lacks something of the creator. A server that says so is well: its breaker stays closed. */
  async function collectWhole(query: IndexQuery, wanted: PassageSet[] | null): Promise<Candidate[] | null> {
    if (wanted && !(await holdsAll(query, wanted))) return null;
    try {
      return await collect(client, className, query);
    } catch (error) {
      if (isNotThere(error)) return null;
      throw error;
    }
  }

  async function candidatesOf(query: IndexQuery): Promise<Candidate[]> {
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
      const ranked = rank(await candidatesOf(query), analysis, query.limit);
      const { vector } = query;
      if (vector === null) return { hits: ranked, missing: 0 };
      const wholes = await options.wholeVectors(
        query,
        ranked.map(({ passage_id }) => passage_id),
      );
      const hits = ranked.map((hit) => {
        const whole = wholes.get(hit.passage_id);
        return { ...hit, similarity: whole ? dot(whole, vector) : null };
      });
      return { hits, missing: 0 };
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

async function collect(client: WeaviateClient, className: string, query: IndexQuery): Promise<Candidate[]> {
  const ask = (kind: 'context' | 'small', limit: number, sourceId?: string) => {
    const where: WhereFilter = {
      operator: 'And',
      operands: [
        equal('creator_id', query.creator_id),
        equal('kind', kind),
        ...(sourceId === undefined ? [] : [equal('source_id', sourceId)]),
      ],
    };
    return client.graphql.get().withClassName(className).withTenant(query.tenant_id).withWhere(where).withLimit(limit);
  };
  const near = async (kind: 'context' | 'small', limit: number, sourceId?: string): Promise<FoundObject[]> => {
    if (query.vector === null) return [];
    const request = ask(kind, limit, sourceId).withNearVector({ vector: [...query.vector] });
    return rowsOf(
      await request.withFields('passage_id source_id _additional { distance }').do(),
      className,
      foundObject,
    );
  };
  const text = async (): Promise<FoundObject[]> => {
    if (query.lexemes.length === 0) return [];
    const request = ask('context', Math.max(least.text, query.limit * 4)).withBm25({
      query: query.lexemes.join(' '),
      properties: ['lexemes'],
    });
    return rowsOf(await request.withFields('passage_id source_id _additional { score }').do(), className, foundObject);
  };
  const watched = async (kind: 'context' | 'small') =>
    query.watching === undefined ? [] : near(kind, least[kind], query.watching);
  const [contexts, smalls, texts, watchedContexts, watchedSmalls] = await Promise.all([
    near('context', Math.max(least.context, query.limit * 4)),
    near('small', Math.max(least.small, query.limit * 10)),
    text(),
    watched('context'),
    watched('small'),
  ]);
  return join({ contexts, smalls, texts, watched: { contexts: watchedContexts, smalls: watchedSmalls } }, query);
}

interface FoundLists {
  contexts: FoundObject[];
  smalls: FoundObject[];
  texts: FoundObject[];
  /** Of the source the fan is watching, however far from the best. */
  watched: { contexts: FoundObject[]; smalls: FoundObject[] };
}

/** A passage that one list does not hold is at most as near as that list's last. */
function join({ contexts, smalls, texts, watched }: FoundLists, query: IndexQuery): Candidate[] {
  const hasVectors = query.vector !== null;
  const nearness = ({ _additional }: FoundObject) => -(_additional.distance ?? 0);
  const floor = (list: FoundObject[]) => {
    const last = list.at(-1);
    return hasVectors ? (last ? nearness(last) : 0) : null;
  };
  const floors = { context: floor(contexts), small: floor(smalls) };
  const candidates = new Map<string, Candidate>();
  const candidateOf = ({ passage_id, source_id }: FoundObject): Candidate => {
    const known = candidates.get(passage_id);
    if (known) return known;
    const made = { passage_id, source_id, similarity: null, ...floors, text: 0 };
    candidates.set(passage_id, made);
    return made;
  };
  for (const object of [...contexts, ...watched.contexts]) candidateOf(object).context = nearness(object);
  for (const object of [...smalls, ...watched.smalls]) {
    const candidate = candidateOf(object);
    candidate.small = Math.max(candidate.small ?? -1, nearness(object));
  }
  for (const object of texts) {
    candidateOf(object).text = Math.min(1, (object._additional.score ?? 0) / (query.lexemes.length * fullWordScore));
  }
  return [...candidates.values()];
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, at) => sum + value * (b[at] ?? 0), 0);
}
