import type { EmbeddingModel } from '@sidestage/models';
import type { Logger } from '@sidestage/runtime';
import type { CreatorRef, IngestionRepository, PassageRepository, SourceVersion } from '@sidestage/store';
import { windowsOf } from './chunk/windows.js';
import type { PassageIndex } from './index/passage-index.js';
import { embedWindows, modelId } from './ingest/embed-windows.js';

export interface RebuildOptions {
  ingestion: IngestionRepository;
  passages: PassageRepository;
  embeddings: EmbeddingModel;
  indexes: readonly PassageIndex[];
  logger: Logger;
}

export interface RebuildReport {
  /** Sources that got vectors of the present embedding model. */
  embedded: number;
  /** Sources put into the indexes. */
  indexed: number;
}

const page = 50;

/**
 * Makes the derived index again from Postgres, also for a change of the embedding model: passages without vectors of the present model get
 * them first, from their stored text. Vectors of other models stay, so that a process that still runs with one goes on.
 */
export async function rebuild(options: RebuildOptions): Promise<RebuildReport> {
  const embedded = await embedMissing(options);
  let indexed = 0;
  let after: string | null = null;
  for (;;) {
    const creators: CreatorRef[] = await options.passages.creatorsWithPassages(after, page);
    for (const creator of creators) indexed += await rebuildCreator(options, creator);
    after = creators.at(-1)?.creator_id ?? null;
    if (creators.length < page) break;
  }
  options.logger.info({ embedded, indexed }, 'the index is rebuilt');
  return { embedded, indexed };
}

/** Starts a rebuild in the background, one at a time: false while one runs. */
export function makeRebuildStarter(options: RebuildOptions): () => boolean {
  let running = false;
  return () => {
    if (running) return false;
    running = true;
    rebuild(options)
      .catch((error: unknown) => options.logger.error({ err: error }, 'the rebuild failed'))
      .finally(() => {
        running = false;
      });
    return true;
  };
}

/** Gives every passage vectors of the present model. Gives the number of sources that lacked them. */
export async function embedMissing(
  options: Pick<RebuildOptions, 'ingestion' | 'passages' | 'embeddings' | 'logger'>,
): Promise<number> {
  const model = modelId(options.embeddings);
  const tried = new Set<string>();
  for (;;) {
    const sources = await options.ingestion.withoutVectors(model, page);
    const fresh = sources.filter((source) => !tried.has(source.source_id));
    if (fresh.length === 0) return tried.size;
    for (const source of fresh) {
      tried.add(source.source_id);
      await embedSource(options, source, model);
    }
  }
}

async function embedSource(
  options: Pick<RebuildOptions, 'ingestion' | 'passages' | 'embeddings' | 'logger'>,
  source: SourceVersion & { creator_id: string },
  model: string,
): Promise<void> {
  const rows = await options.passages.ofSource(source);
  const vectors = await embedWindows(
    options.embeddings,
    rows.map(({ id }) => id),
    windowsOf(rows.map(({ text }) => text)),
  );
  await options.ingestion.addVectors(source, model, vectors);
}

async function rebuildCreator(options: RebuildOptions, creator: CreatorRef): Promise<number> {
  // The embedded index takes source by source in place of what it holds: emptied, it would make the next search wait.
  for (const index of options.indexes) if (index.kind !== 'embedded') await index.clear(creator);
  const sources = await options.passages.passageSets(creator);
  for (const { source_id } of sources) await putSource(options, { ...creator, source_id });
  return sources.length;
}

/**
 * Puts a source as it stands in Postgres into every index. An index outside Postgres is behind until then, so the knowledge counts up once more:
 * what was found meanwhile is not used from a cache.
 */
export async function putSource(
  options: Pick<RebuildOptions, 'ingestion' | 'passages' | 'embeddings' | 'indexes'>,
  source: CreatorRef & { source_id: string },
): Promise<void> {
  // Its name is read first: where the passages change meanwhile, they are put under the old name and found to be behind.
  const set_id = await options.passages.passageSet(source);
  if (set_id === null) return;
  const passages = await options.passages.indexed(source, modelId(options.embeddings));
  for (const index of options.indexes) await index.put({ ...source, set_id, passages });
  if (options.indexes.some(({ kind }) => kind !== 'embedded')) await options.ingestion.knowledgeMoved(source);
}
