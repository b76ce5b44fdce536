import { type RetrievedPassage, retrievalSearchAnswer } from '@sidestage/contracts';
import { type Breaker, BreakerOpenError, type Logger, type RecoveryProbe, sleep } from '@sidestage/runtime';
import { z } from 'zod';

export interface Found {
  passages: RetrievedPassage[];
  /** Ready sources that were looked through. */
  sources: number;
  /** Title of the source the fan is watching; null where it is none of the creator's. */
  watching: string | null;
  /** Only words were searched: the question could not be embedded. */
  partial?: boolean;
}

export interface RetrievalQuery {
  tenant_id: string;
  creator_id: string;
  query: string;
  limit: number;
  /** What the fan is watching. */
  video_url?: string;
}

export interface SearchTrace {
  requestId: string | null;
  traceparent: string | null;
}

export interface RetrievalClientOptions {
  url: string;
  token: string;
  /** For the whole search, a second try included. Milliseconds. */
  timeoutMs: number;
  breaker: Breaker;
  logger: Logger;
}

/** Longest wait for retrieval's word that it is there; what is kept is not used without it. Milliseconds. */
const thereMs = 300;
/** A broken connection is known at once: another try fits within the deadline only then. */
const quickFailure = 0.25;
/** Between two tries at a connection that is refused. Milliseconds. */
const refusedMs = 150;

const refusal = z.object({ cause: z.object({ code: z.literal('ECONNREFUSED') }) });
const isRefused = (error: unknown): boolean => refusal.safeParse(error).success;

/**
 * Asks the retrieval service under a deadline and its own breaker. Resolves with null when it is down or slow: the answer is then given
 * without grounding. Rejects only with the caller's abort.
 */
export function makeRetrievalClient(options: RetrievalClientOptions) {
  const address = new URL('/internal/search', options.url);
  const liveAddress = new URL('/health/live', options.url);

  async function ask(query: RetrievalQuery, trace: SearchTrace, signal: AbortSignal): Promise<Found> {
    const response = await fetch(address, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${options.token}`,
        ...(trace.requestId && { 'x-request-id': trace.requestId }),
        ...(trace.traceparent && { traceparent: trace.traceparent }),
      },
      body: JSON.stringify(query),
      signal,
    });
    if (!response.ok) {
      await response.body?.cancel();
      throw new Error(`retrieval answered ${response.status}`);
    }
    const { passages, sources_searched, watching, index, complete } = retrievalSearchAnswer.parse(
      await response.json(),
    );
    return {
      passages,
      sources: sources_searched,
      watching: watching?.title ?? null,
      partial: index === 'full_text' || !complete,
    };
  }

  /** A refused connection is a service that restarts, most of the time: it is asked again while there is time. */
  async function askTwice(query: RetrievalQuery, trace: SearchTrace, signal: AbortSignal): Promise<Found> {
    const startedAt = performance.now();
    try {
      return await ask(query, trace, signal);
    } catch (error) {
      if (isRefused(error)) {
        await sleep(refusedMs, signal);
        return askTwice(query, trace, signal);
      }
      const quick = performance.now() - startedAt < options.timeoutMs * quickFailure;
      if (!quick || signal.aborted) throw error;
      return ask(query, trace, signal);
    }
  }

  return {
    async search(query: RetrievalQuery, trace: SearchTrace, signal: AbortSignal): Promise<Found | null> {
      const limited = AbortSignal.any([signal, AbortSignal.timeout(options.timeoutMs)]);
      try {
        return await options.breaker.run(
          () => askTwice(query, trace, limited),
          () => signal.aborted,
        );
      } catch (error) {
        signal.throwIfAborted();
        const line = { err: error, request_id: trace.requestId };
        if (error instanceof BreakerOpenError) options.logger.debug(line, 'retrieval is not asked');
        else options.logger.warn(line, 'retrieval failed, answering without grounding');
        return null;
      }
    },

    /** Whether retrieval is there: asked at its cheapest route, and not at all while its breaker is open. Rejects only with the caller's abort. */
    async isThere(signal: AbortSignal): Promise<boolean> {
      if (options.breaker.state === 'open') return false;
      try {
        const response = await fetch(liveAddress, { signal: AbortSignal.any([signal, AbortSignal.timeout(thereMs)]) });
        await response.body?.cancel();
        return response.ok;
      } catch {
        signal.throwIfAborted();
        return false;
      }
    },
  };
}
export type RetrievalClient = ReturnType<typeof makeRetrievalClient>;

/** Whether the service is there again, for its breaker: models cost money and are never asked so, this route costs nothing. */
export function retrievalProbe(url: string): RecoveryProbe {
  const address = new URL('/health/ready', url);
  return {
    everyMs: 1_500,
    async ask(signal) {
      const response = await fetch(address, { signal });
      await response.body?.cancel();
      if (!response.ok) throw new Error(`retrieval is not ready: ${response.status}`);
    },
  };
}
