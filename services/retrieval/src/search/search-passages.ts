import {
  citationUrl,
  type RetrievedPassage,
  type retrievalSearchAnswer,
  retrievedPassageSchema,
} from '@sidestage/contracts';
import type { EmbeddingModel } from '@sidestage/models';
import type { Logger, Metrics } from '@sidestage/runtime';
import type { CreatorRef, PassageRepository, PassageRow } from '@sidestage/store';
import type { z } from 'zod';
import { withoutNearDuplicates } from '../chunk/near-duplicates.js';
import type { IndexAnswer, IndexHit, IndexQuery, PassageIndex } from '../index/passage-index.js';
import { withoutChatSpeak } from '../query/chat-speak.js';
import { analyseQuery } from '../query/query-analysis.js';
import { makeQueryVectors } from './query-vectors.js';
import { makeWatchedSources } from './watched-source.js';

export interface SearchRequest extends CreatorRef {
  query: string;
  /** 1 to 50 */
  limit: number;
  /** What the fan is watching. */
  video_url?: string | undefined;
}
export type SearchAnswer = z.infer<typeof retrievalSearchAnswer>;
const segmentsSchema = retrievedPassageSchema.shape.segments;

export interface SearchOptions {
  passages: Pick<PassageRepository, 'scope' | 'byIds' | 'watchable'>;
  embeddings: EmbeddingModel;
  /** Asked in this order: the next answers when one cannot. */
  indexes: readonly PassageIndex[];
  publicWebUrl: string;
  logger: Logger;
  metrics: Metrics;
}

/** Finds the passages of one creator that answer a question. */
export function makeSearch(
  options: SearchOptions,
): (request: SearchRequest, requestId?: string) => Promise<SearchAnswer> {
  const { passages, logger } = options;
  const vectorOf = makeQueryVectors(options.embeddings, options.metrics);
  const findWatched = makeWatchedSources(passages);

  async function vectorOrNull(question: string, requestId: string | undefined): Promise<Float32Array | null> {
    try {
      return await vectorOf(question);
    } catch (error) {
      logger.warn({ err: error, request_id: requestId }, 'the question could not be embedded: searching by words');
      return null;
    }
  }

  async function askIndexes(
    query: IndexQuery,
    requestId?: string,
  ): Promise<IndexAnswer & { kind: PassageIndex['kind'] }> {
    let failure: unknown = new Error('no index is set up');
    for (const index of options.indexes) {
      try {
        return { ...(await index.search(query)), kind: index.kind };
      } catch (error) {
        failure = error;
        logger.warn({ err: error, index: index.kind, request_id: requestId }, 'an index did not answer');
      }
    }
    throw failure;
  }

  return async (request, requestId) => {
    const question = withoutChatSpeak(request.query);
    const asking = vectorOrNull(question, requestId);
    const scope = await passages.scope(request, question);
    if (!scope || scope.sources_ready === 0)
      return {
        passages: [],
        sources_searched: 0,
        complete: true,
        watching: null,
        index: options.indexes[0]?.kind ?? 'embedded',
      };
    const { lexemes } = scope;
    const watching = await findWatched(request, scope.knowledge_version, request.video_url);
    const vector = await asking;
    const { phrases } = analyseQuery(question, lexemes);
    const { hits, missing, kind } = await askIndexes(
      {
        tenant_id: request.tenant_id,
        creator_id: request.creator_id,
        knowledge_version: scope.knowledge_version,
        vector,
        question,
        lexemes,
        watching: watching?.source_id,
        // More than is wanted: some may be gone from Postgres, or hold the words that were quoted.
        limit: Math.min(50, phrases.length > 0 ? 50 : request.limit + 5),
      },
      requestId,
    );
    const rows = await passages.byIds(
      request,
      hits.map((hit) => hit.passage_id),
    );
    const lifted = liftPhrases(joinHits(hits, rows, options.publicWebUrl), phrases);
    // What a creator says in every episode is one finding.
    const found = withoutNearDuplicates(lifted).slice(0, request.limit);
    return {
      passages: found,
      sources_searched: Math.max(0, scope.sources_ready - missing),
      complete: missing === 0,
      watching: watching && { source_id: watching.source_id, title: watching.title },
      index: vector === null ? 'full_text' : kind,
    };
  };
}

function joinHits(hits: IndexHit[], rows: PassageRow[], publicWebUrl: string): RetrievedPassage[] {
  const byId = new Map(rows.map((row) => [row.id, row]));
  return hits.flatMap((hit) => {
    const row = byId.get(hit.passage_id);
    if (!row) return [];
    const source = { id: row.source_id, url: row.source_url, kind: row.source_kind };
    return [
      {
        passage_id: row.id,
        source_id: row.source_id,
        title: row.source_title,
        url: citationUrl(source, row.start_seconds, publicWebUrl),
        source_url: row.source_url,
        kind: row.source_kind,
        text: row.text,
        start_seconds: row.start_seconds,
        end_seconds: row.end_seconds,
        segments: segmentsSchema.parse(row.segments),
        score: hit.score,
        similarity: hit.similarity,
      },
    ];
  });
}

/** Passages that hold what the question quotes come before those that only mean the same. */
function liftPhrases(found: RetrievedPassage[], phrases: string[]): RetrievedPassage[] {
  const plain = (text: string) => text.toLowerCase().replace(/[’‘]/g, "'").replace(/\s+/g, ' ');
  const wanted = phrases.map(plain);
  const holders = found.filter(({ text }) => wanted.some((phrase) => plain(text).includes(phrase)));
  if (holders.length === 0) return found;
  const best = found[0]?.score ?? 1;
  const others = found.filter((passage) => !holders.includes(passage));
  return [...holders.map((passage) => ({ ...passage, score: best })), ...others];
}
