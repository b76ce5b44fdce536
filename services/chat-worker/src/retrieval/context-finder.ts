import type { Metrics } from '@sidestage/runtime';
import type { ContextCache } from './context-cache.js';
import { type ContextQuestion, contextKey } from './context-key.js';
import type { Found, RetrievalClient, SearchTrace } from './retrieval-client.js';
import { makeSharedWork } from './shared-work.js';

export interface ContextFinderOptions {
  retrieval: RetrievalClient;
  /** Null: every question is searched for. */
  cache: ContextCache | null;
  metrics: Metrics;
}

/**
 * The passages that answer a question: those kept for it, else one search, however many ask at the same time. Null when retrieval could not be
 * asked. Rejects only with the caller's abort.
 *
 * What is kept is used only while retrieval is there. Without it every reply says `grounded: false`, whoever asked the same question before: a
 * promise of the API that operators and their checks rely on, kept for the price of one request without work in it.
 */
export function makeContextFinder({ retrieval, cache, metrics }: ContextFinderOptions) {
  const searches = makeSharedWork<Found | null>();
  const count = (result: 'hit' | 'miss') => metrics.cacheRequests.inc({ cache: 'context', result });

  return async function findContext(
    { knowledge_version, ...query }: ContextQuestion,
    trace: SearchTrace,
    signal: AbortSignal,
  ): Promise<Found | null> {
    if (!cache) return retrieval.search(query, trace, signal);
    const key = contextKey({ ...query, knowledge_version });
    const search = async (stop: AbortSignal) => {
      const kept = await cache.get(key);
      const usable = kept !== null && (await retrieval.isThere(stop));
      count(usable ? 'hit' : 'miss');
      if (usable) return kept;
      const found = await retrieval.search(query, trace, stop);
      // What was found without vectors is the best of a bad moment, not of the hour. Nobody waits for it to be kept.
      if (found && !found.partial) void cache.put(key, found);
      return found;
    };
    return searches.run(key, signal, search, () => count('hit'));
  };
}
export type ContextFinder = ReturnType<typeof makeContextFinder>;
