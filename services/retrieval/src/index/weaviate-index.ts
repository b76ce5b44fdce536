import type { Breaker } from '@sidestage/runtime';
import type { CreatorRef } from '@sidestage/store';
import type { WeaviateClient, WhereFilter } from 'weaviate-ts-client';
import type { IndexQuery, PassageIndex } from './passage-index.js';
import { analyseQuery } from './query-analysis.js';
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
  /** Longest time a search may take, in milliseconds. Default 800. */
  deadlineMs?: number;
}

export interface WeaviateIndex extends PassageIndex {
  readonly kind: 'weaviate';
  readonly store: WeaviateStore;
}

/** Objects asked for of each kind, at least; a passage has some three small windows. */
const least = { context: 80, small: 200, text: 80 } as const;
/** BM25 that a passage full of one rare word has, about: what makes a score a share of the question's words, as in the embedded index. */
const fullWordScore = 4;

/** Vectors and words searched by Weaviate, then ranked as the embedded index ranks. Rejects late answers and while its breaker is open. */
export function makeWeaviateIndex(options: WeaviateIndexOptions): WeaviateIndex {
  const client = connectWeaviate(options.url);
  const className = classNameOf(options.model);
  const store = makeWeaviateStore(client, className);
  const deadlineMs = options.deadlineMs ?? 800;

  return {
    kind: 'weaviate',
    store,
    async search(query) {
      const analysis = analyseQuery(query.question, query.lexemes);
      const candidates = await options.breaker.run(
        () => within(deadlineMs, collect(client, className, query)),
        isNotThere,
      );
      const ranked = rank(candidates, analysis, query.limit);
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
    put: (source) => store.put(source),
    remove: ({ tenant_id, source_id }) => store.remove(tenant_id, source_id),
    clear: (creator) => (creator ? store.removeCreator(creator.tenant_id, creator.creator_id) : store.removeAll()),
    close: async () => options.breaker.close(),
  };
}

async function collect(client: WeaviateClient, className: string, query: IndexQuery): Promise<Candidate[]> {
  const ask = (kind: 'context' | 'small', limit: number) => {
    const where: WhereFilter = {
      operator: 'And',
      operands: [equal('creator_id', query.creator_id), equal('kind', kind)],
    };
    return client.graphql.get().withClassName(className).withTenant(query.tenant_id).withWhere(where).withLimit(limit);
  };
  const near = async (kind: 'context' | 'small', limit: number): Promise<FoundObject[]> => {
    if (query.vector === null) return [];
    const request = ask(kind, limit).withNearVector({ vector: [...query.vector] });
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
  const [contexts, smalls, texts] = await Promise.all([
    near('context', Math.max(least.context, query.limit * 4)),
    near('small', Math.max(least.small, query.limit * 10)),
    text(),
  ]);
  return join(contexts, smalls, texts, query);
}

/** A passage that one list does not hold is at most as near as that list's last. */
function join(contexts: FoundObject[], smalls: FoundObject[], texts: FoundObject[], query: IndexQuery): Candidate[] {
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
  for (const object of contexts) candidateOf(object).context = nearness(object);
  for (const object of smalls) {
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
