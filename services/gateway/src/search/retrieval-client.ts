import {
  type DependencyView,
  ProblemError,
  type RetrievedPassage,
  retrievalSearchAnswer,
  type retrievalSearchBody,
} from '@sidestage/contracts';
import {
  type Breaker,
  BreakerOpenError,
  type Logger,
  type Metrics,
  makeBreaker,
  probe,
  type RequestTrace,
} from '@sidestage/runtime';
import type { z } from 'zod';

/** A search waits for the retrieval service no longer. */
const searchMs = 5_000;
const forgetMs = 5_000;
/** Deletions told to the retrieval service at once. */
const forgetBatch = 8;

/** The retrieval service as the gateway uses it. */
export interface RetrievalClient {
  /** Throws `unavailable` when it does not answer in 5 s or has been failing. */
  search(query: z.infer<typeof retrievalSearchBody>, trace: RequestTrace): Promise<RetrievedPassage[]>;
  /** Tells it that these sources are gone, best effort and not waited for: its sweeper finds what it did not hear of. */
  forget(tenantId: string, sourceIds: string[]): void;
  probe(): Promise<DependencyView>;
  close(): void;
}

export function makeRetrievalClient(options: {
  url: string;
  token: string;
  breaker: { errorPercent: number; resetMs: number };
  logger: Logger;
  metrics: Metrics;
}): RetrievalClient {
  const { url, logger, metrics } = options;
  const breaker: Breaker = makeBreaker({ name: 'retrieval', ...options.breaker, logger, metrics });
  const headers = { Authorization: `Bearer ${options.token}` };

  async function ask(query: z.infer<typeof retrievalSearchBody>, trace: RequestTrace): Promise<RetrievedPassage[]> {
    const response = await fetch(`${url}/internal/search`, {
      method: 'POST',
      headers: {
        ...headers,
        'Content-Type': 'application/json',
        'X-Request-ID': trace.requestId,
        ...(trace.traceparent && { traceparent: trace.traceparent }),
      },
      body: JSON.stringify(query),
      signal: AbortSignal.timeout(searchMs),
    });
    if (!response.ok) {
      await response.body?.cancel();
      throw new Error(`retrieval answered ${response.status}`);
    }
    return retrievalSearchAnswer.parse(await response.json()).passages;
  }

  async function forgetOne(tenantId: string, sourceId: string): Promise<void> {
    const response = await fetch(`${url}/internal/sources/${tenantId}/${sourceId}`, {
      method: 'DELETE',
      headers,
      signal: AbortSignal.timeout(forgetMs),
    });
    await response.body?.cancel();
    if (!response.ok && response.status !== 404) throw new Error(`retrieval answered ${response.status}`);
  }

  async function forgetAll(tenantId: string, sourceIds: string[]): Promise<void> {
    for (let start = 0; start < sourceIds.length; start += forgetBatch) {
      await Promise.all(sourceIds.slice(start, start + forgetBatch).map((id) => forgetOne(tenantId, id)));
    }
  }

  return {
    async search(query, trace) {
      try {
        return await breaker.run(() => ask(query, trace));
      } catch (error) {
        throw new ProblemError('unavailable', {
          detail: 'Search cannot be asked at the moment; try again shortly.',
          retryAfterSeconds: error instanceof BreakerOpenError ? options.breaker.resetMs / 1000 : 5,
          cause: error,
        });
      }
    },
    forget(tenantId, sourceIds) {
      forgetAll(tenantId, sourceIds).catch((error: unknown) => {
        logger.warn({ err: error, sources: sourceIds.length }, 'retrieval was not told of deleted sources');
      });
    },
    async probe() {
      const view = await probe(async () => {
        const response = await fetch(`${url}/health/live`, { signal: AbortSignal.timeout(1_000) });
        await response.body?.cancel();
        if (!response.ok) throw new Error(`answered ${response.status}`);
      });
      // Without retrieval chats are still answered, ungrounded.
      return view.status === 'failing' ? { ...view, status: 'degraded' } : view;
    },
    close: () => breaker.close(),
  };
}
