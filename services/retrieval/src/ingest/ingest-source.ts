import { type EmbeddingModel, ModelError } from '@sidestage/models';
import { type Logger, makeId, withRetry } from '@sidestage/runtime';
import type { IngestionRepository, SourceToIngest, SourceVersion } from '@sidestage/store';
import type { FetchAddress, FetchedSource } from '../fetch/fetch-source.js';
import { ParseError } from '../parse/parsed.js';
import { type ReadRequest, type ReadSource, readSource } from '../parse/read-source.js';
import { embedWindows, modelId } from './embed-windows.js';

/** How an ingestion ended. `superseded`: the source was replaced or deleted meanwhile, or is done; nothing was written. */
export type IngestOutcome = 'ready' | 'failed' | 'superseded';

export interface IngestOptions {
  repository: IngestionRepository;
  embeddings: EmbeddingModel;
  /** Default `readSource`. */
  read?: typeof readSource | undefined;
  /** Gets what an address answers with. Throws ParseError, or an error of another kind for what may go well another time. */
  fetchContent: (address: FetchAddress, signal: AbortSignal) => Promise<FetchedSource>;
  /** Called once the new passages are in Postgres; its failure is not the source's. */
  onReady: (source: SourceVersion & { creator_id: string }) => Promise<void>;
  logger: Logger;
}

/** Progress is written at most this often. */
const reportEveryMs = 1_000;
/** Share of the progress that reading the file takes. */
const readShare = 0.05;

/**
 * Makes one version of a source searchable: read, cut, embed, swap. What is wrong with the file itself ends as `failed` with the reason in
 * words; what is wrong with a part of ours (Postgres, the embedding service) is thrown, to be tried again.
 */
export function makeIngestSource(
  options: IngestOptions,
): (source: SourceVersion, signal?: AbortSignal) => Promise<IngestOutcome> {
  const { repository, logger, fetchContent, read: readContent = readSource } = options;

  return async (source, signal) => {
    const given = await withRetry(() => repository.begin(source));
    if (!given) return 'superseded';
    const superseded = new AbortController();
    const stop = signal ? AbortSignal.any([signal, superseded.signal]) : superseded.signal;
    const report = makeReporter(repository, source, () => superseded.abort());
    try {
      const read = await readContent(await contentOf(source, given, stop));
      report(readShare);
      return await store(source, given, read, stop, report);
    } catch (error) {
      if (superseded.signal.aborted) return 'superseded';
      const reason = reasonInWords(error);
      if (reason === null) throw error;
      logger.info({ source_id: source.source_id, reason }, 'a source could not be ingested');
      return (await withRetry(() => repository.fail(source, reason))) ? 'failed' : 'superseded';
    }
  };

  /** What was uploaded, else what the address answers with, kept so that it is asked once. */
  async function contentOf(source: SourceVersion, given: SourceToIngest, signal: AbortSignal): Promise<ReadRequest> {
    if (given.content !== null) return { format: given.format, content: given.content };
    if (given.url === null) throw new ParseError('the source has neither content nor an address');
    const fetched = await fetchContent({ url: given.url, format: given.format }, signal);
    await withRetry(() => repository.keepFetched(source, fetched));
    return fetched;
  }

  async function store(
    source: SourceVersion,
    given: SourceToIngest,
    read: ReadSource,
    signal: AbortSignal,
    report: (share: number) => void,
  ): Promise<IngestOutcome> {
    const model = modelId(options.embeddings);
    const known = knownWords(await withRetry(() => repository.embeddedPassages(source, model)));
    const reused = read.passages.map(({ text }) => known.get(text)?.shift());
    const ids = reused.map((id) => id ?? makeId());
    const fresh = read.windows.filter(({ passage }) => reused[passage] === undefined);
    const vectors = await embedWindows(options.embeddings, ids, fresh, {
      signal,
      onProgress: (share) => report(readShare + share * (0.98 - readShare)),
    });
    const swapped = await withRetry(() =>
      repository.complete(source, {
        model,
        segments: read.segments.map((segment) => ({
          start_seconds: segment.start ?? null,
          end_seconds: segment.end ?? null,
          speaker: segment.speaker ?? null,
          text: segment.text,
        })),
        passages: read.passages.map((passage, at) => ({ id: ids[at] ?? makeId(), ...passage })),
        vectors,
      }),
    );
    if (!swapped) return 'superseded';
    await options
      .onReady({ ...source, creator_id: given.creator_id })
      .catch((error: unknown) => logger.warn({ err: error, source_id: source.source_id }, 'an index is behind'));
    return 'ready';
  }
}

/** The passages there are by their words: the same words have the same vectors. Of words that stand there twice the first comes first. */
function knownWords(passages: readonly { id: string; text: string }[]): Map<string, string[]> {
  const known = new Map<string, string[]>();
  for (const { id, text } of passages) known.set(text, [...(known.get(text) ?? []), id]);
  return known;
}

/** Null for what may go well another time. */
function reasonInWords(error: unknown): string | null {
  if (error instanceof ParseError) return error.message;
  if (error instanceof ModelError && error.kind === 'refused_request')
    return `the text cannot be embedded: ${error.message}`;
  return null;
}

/** Writes progress now and then, and finds out that the source is not wanted any more. */
function makeReporter(
  repository: IngestionRepository,
  source: SourceVersion,
  onSuperseded: () => void,
): (share: number) => void {
  let next = 0;
  return (share) => {
    if (performance.now() < next) return;
    next = performance.now() + reportEveryMs;
    repository.report(source, Math.round(share * 1000) / 1000).then(
      (current) => {
        if (!current) onSuperseded();
      },
      // Only progress is lost; the swap at the end tries again by itself.
      () => undefined,
    );
  };
}
