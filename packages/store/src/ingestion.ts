import { endianness } from 'node:os';
import type { IngestJob, SourceView } from '@sidestage/contracts';
import { inTransaction, makeId, type PgClient, type PgPool } from '@sidestage/runtime';
import { contentHash } from './sources.js';

export interface SourceRef {
  tenant_id: string;
  source_id: string;
}
/** One version of a source's content. */
export interface SourceVersion extends SourceRef {
  content_version: number;
}

export interface SourceToIngest {
  creator_id: string;
  format: SourceView['format'];
  title: string;
  /** The creator's language tag. */
  language: string;
  /** Null: to be fetched from `url`. */
  content: string | null;
  url: string | null;
}

export interface StoredSegment {
  start_seconds: number | null;
  end_seconds: number | null;
  speaker: string | null;
  text: string;
}

export interface NewPassage {
  id: string;
  text: string;
  start_seconds: number | null;
  end_seconds: number | null;
  /** [{offset, start_seconds, end_seconds, speaker, text}] */
  segments: unknown[];
}

export interface NewVector {
  passage_id: string;
  part: number;
  vector: Float32Array;
}

export interface IngestedSource {
  segments: StoredSegment[];
  /** In order. One whose id is there already stays with its vectors, wherever it stands now. */
  passages: NewPassage[];
  /** Of the passages that are new. */
  vectors: NewVector[];
  /** '<name>@<version>' of the embedding model. */
  model: string;
}

/** Rows of one INSERT: a statement stays far below its time limit. */
const batchRows = 500;

/** Full-text configurations of PostgreSQL by language; others are matched word by word. */
export const textConfigurations: Record<string, string> = {
  ar: 'arabic',
  da: 'danish',
  de: 'german',
  el: 'greek',
  en: 'english',
  es: 'spanish',
  fi: 'finnish',
  fr: 'french',
  hi: 'hindi',
  hu: 'hungarian',
  id: 'indonesian',
  it: 'italian',
  nl: 'dutch',
  no: 'norwegian',
  pt: 'portuguese',
  ro: 'romanian',
  ru: 'russian',
  sv: 'swedish',
  tr: 'turkish',
};

/** The name of the full-text configuration for a language tag such as `pt-BR`. */
export function textConfiguration(languageTag: string): string {
  return textConfigurations[languageTag.toLowerCase().split('-')[0] ?? ''] ?? 'simple';
}

/** A vector as passage_vectors keeps it: float32, little endian. */
export function packVector(vector: Float32Array): Buffer {
  const packed = Buffer.from(Float32Array.from(vector).buffer);
  return endianness() === 'BE' ? packed.swap32() : packed;
}

/**
 * Ingestion's side of a source's life, as the engine. Every write names the content version it was made from: once the source is replaced
 * or deleted it changes nothing.
 */
export function makeIngestionRepository(pool: PgPool) {
  return {
    /** Takes the source in work and reads it. Null when this version is gone, or done. */
    async begin(source: SourceVersion): Promise<SourceToIngest | null> {
      const { rows } = await pool.query<SourceToIngest>(
        `WITH begun AS (
           UPDATE sources SET status = 'ingesting', progress = 0, error = NULL, updated_at = now()
           WHERE tenant_id = $1 AND id = $2 AND content_version = $3 AND status IN ('queued', 'ingesting') RETURNING *
         )
         SELECT s.creator_id, s.format, s.title, c.language, t.content, s.url FROM begun s
         JOIN creators c ON c.tenant_id = s.tenant_id AND c.id = s.creator_id
         LEFT JOIN source_contents t ON t.tenant_id = s.tenant_id AND t.source_id = s.id`,
        versionValues(source),
      );
      return rows[0] ?? null;
    },

    /** Keeps what was fetched for this version, and what it turned out to be: it is not fetched twice. False when this version is not in work any more. */
    keepFetched(
      source: SourceVersion,
      fetched: Pick<SourceToIngest, 'format'> & { content: string },
    ): Promise<boolean> {
      return inTransaction(pool, async (client) => {
        if (!(await lockVersion(client, source))) return false;
        await client.query(
          `INSERT INTO source_contents (tenant_id, source_id, content) VALUES ($1, $2, $3)
           ON CONFLICT (tenant_id, source_id) DO UPDATE SET content = EXCLUDED.content`,
          [source.tenant_id, source.source_id, fetched.content],
        );
        await client.query('UPDATE sources SET format = $3, content_sha256 = $4 WHERE tenant_id = $1 AND id = $2', [
          source.tenant_id,
          source.source_id,
          fetched.format,
          contentHash(fetched.format, fetched.content),
        ]);
        return true;
      });
    },

    /** Also the sign of life the sweeper looks for. False when this version is not in work any more. `progress` 0 to 1. */
    async report(source: SourceVersion, progress: number): Promise<boolean> {
      const { rowCount } = await pool.query(
        `UPDATE sources SET progress = $4, updated_at = now()
         WHERE tenant_id = $1 AND id = $2 AND content_version = $3 AND status = 'ingesting'`,
        [...versionValues(source), progress],
      );
      return rowCount === 1;
    },

    /** Passages of the source that have vectors of `model`: those of an earlier version, whose words may come again. */
    async embeddedPassages(
      { tenant_id, source_id }: SourceRef,
      model: string,
    ): Promise<{ id: string; text: string }[]> {
      const { rows } = await pool.query<{ id: string; text: string }>(
        `SELECT id, text FROM passages p WHERE tenant_id = $1 AND source_id = $2 AND EXISTS (
           SELECT FROM passage_vectors v WHERE v.tenant_id = p.tenant_id AND v.passage_id = p.id AND v.model = $3 AND v.part = 0)
         ORDER BY ordinal`,
        [tenant_id, source_id, model],
      );
      return rows;
    },

    /** Swaps what was known of the source for the new, in one transaction. False when this version is not in work any more. */
    complete(source: SourceVersion, found: IngestedSource): Promise<boolean> {
      return inTransaction(pool, async (client) => {
        const owner = await lockVersion(client, source);
        if (!owner) return false;
        const kept = await keepPassages(client, source, owner, found.passages);
        await client.query('DELETE FROM segments WHERE tenant_id = $1 AND source_id = $2', [
          source.tenant_id,
          source.source_id,
        ]);
        await insertSegments(client, source, found.segments);
        await insertPassages(client, source, owner, found.passages, kept);
        await insertVectors(client, { ...source, creator_id: owner.creator_id, model: found.model }, found.vectors);
        await client.query(
          `UPDATE sources SET status = 'ready', progress = 1, passages = $3, passage_set = $4, error = NULL, updated_at = now()
           WHERE tenant_id = $1 AND id = $2`,
          [source.tenant_id, source.source_id, found.passages.length, makeId()],
        );
        await countKnowledgeUp(client, source.tenant_id, owner.creator_id);
        return true;
      });
    },

    /** Says in words why the source cannot be used; what an earlier content of it said is forgotten. False as above. */
    fail(source: SourceVersion, error: string): Promise<boolean> {
      return inTransaction(pool, async (client) => {
        const owner = await lockVersion(client, source);
        if (!owner) return false;
        await forget(client, source);
        await client.query(
          `UPDATE sources SET status = 'failed', passages = 0, passage_set = NULL, error = $3, updated_at = now() WHERE tenant_id = $1 AND id = $2`,
          [source.tenant_id, source.source_id, error.slice(0, 500)],
        );
        await countKnowledgeUp(client, source.tenant_id, owner.creator_id);
        return true;
      });
    },

    /** Sources whose ingestion shows no sign of life for `olderThanMs`; marks them as looked at. The caller puts them into the queue. */
    async unfinished(olderThanMs: number, limit: number): Promise<Omit<IngestJob, 'v'>[]> {
      const { rows } = await pool.query<Omit<IngestJob, 'v'>>(
        `UPDATE sources s SET updated_at = now() FROM (
           SELECT tenant_id, id FROM sources WHERE status IN ('queued', 'ingesting') AND updated_at < now() - $1 * interval '1 millisecond'
           ORDER BY updated_at LIMIT $2 FOR UPDATE SKIP LOCKED) old
         WHERE s.tenant_id = old.tenant_id AND s.id = old.id
         RETURNING s.tenant_id, s.id AS source_id, s.content_version`,
        [olderThanMs, limit],
      );
      return rows;
    },

    /** Sources that are searchable but have a passage without a vector of `model`: what a change of the embedding model leaves. */
    async withoutVectors(model: string, limit: number): Promise<(SourceVersion & { creator_id: string })[]> {
      const { rows } = await pool.query<SourceVersion & { creator_id: string }>(
        `SELECT s.tenant_id, s.id AS source_id, s.content_version, s.creator_id FROM sources s
         WHERE s.status = 'ready' AND s.passages > 0 AND EXISTS (
           SELECT FROM passages p WHERE p.tenant_id = s.tenant_id AND p.source_id = s.id AND NOT EXISTS (
             SELECT FROM passage_vectors v WHERE v.tenant_id = p.tenant_id AND v.passage_id = p.id AND v.model = $1 AND v.part = 0))
         ORDER BY s.created_at LIMIT $2`,
        [model, limit],
      );
      return rows;
    },

    /** Adds (or replaces) vectors of one model to passages that exist; those of other models stay. False when the source has changed. */
    addVectors(source: SourceVersion, model: string, vectors: NewVector[]): Promise<boolean> {
      return inTransaction(pool, async (client) => {
        const { rows } = await client.query<{ creator_id: string }>(
          `SELECT creator_id FROM sources WHERE tenant_id = $1 AND id = $2 AND content_version = $3 AND status = 'ready' FOR UPDATE`,
          versionValues(source),
        );
        const owner = rows[0];
        if (!owner) return false;
        await client.query(
          `DELETE FROM passage_vectors v USING passages p WHERE p.tenant_id = $1 AND p.source_id = $2 AND v.tenant_id = p.tenant_id
             AND v.passage_id = p.id AND v.model = $3`,
          [source.tenant_id, source.source_id, model],
        );
        await insertVectors(client, { ...source, creator_id: owner.creator_id, model }, vectors);
        await countKnowledgeUp(client, source.tenant_id, owner.creator_id);
        return true;
      });
    },

    /** What a search of the creator finds has changed, though nothing in Postgres has: an index outside it has caught up. */
    async knowledgeMoved({ tenant_id, creator_id }: { tenant_id: string; creator_id: string }): Promise<void> {
      await countKnowledgeUp(pool, tenant_id, creator_id);
    },
  };
}
export type IngestionRepository = ReturnType<typeof makeIngestionRepository>;

function versionValues(source: SourceVersion): unknown[] {
  return [source.tenant_id, source.source_id, source.content_version];
}

async function lockVersion(
  client: PgClient,
  source: SourceVersion,
): Promise<{ creator_id: string; language: string } | undefined> {
  const { rows } = await client.query<{ creator_id: string; language: string }>(
    `SELECT s.creator_id, c.language FROM sources s JOIN creators c ON c.tenant_id = s.tenant_id AND c.id = s.creator_id
     WHERE s.tenant_id = $1 AND s.id = $2 AND s.content_version = $3 AND s.status = 'ingesting' FOR UPDATE OF s`,
    versionValues(source),
  );
  return rows[0];
}

/** Vectors go with their passages. */
async function forget(client: PgClient, source: SourceRef): Promise<void> {
  const values = [source.tenant_id, source.source_id];
  await client.query('DELETE FROM passages WHERE tenant_id = $1 AND source_id = $2', values);
  await client.query('DELETE FROM segments WHERE tenant_id = $1 AND source_id = $2', values);
}

async function countKnowledgeUp(client: Pick<PgPool, 'query'>, tenantId: string, creatorId: string): Promise<void> {
  await client.query('UPDATE creators SET knowledge_version = knowledge_version + 1 WHERE tenant_id = $1 AND id = $2', [
    tenantId,
    creatorId,
  ]);
}

async function insertSegments(client: PgClient, source: SourceRef, segments: StoredSegment[]): Promise<void> {
  await inBatches(segments, (batch, from) =>
    client.query(
      `INSERT INTO segments (tenant_id, source_id, ordinal, start_seconds, end_seconds, speaker, text)
       SELECT $1, $2, $3 + s.at - 1, s.start_seconds, s.end_seconds, s.speaker, s.text
       FROM unnest($4::double precision[], $5::double precision[], $6::text[], $7::text[])
            WITH ORDINALITY AS s(start_seconds, end_seconds, speaker, text, at)`,
      [
        source.tenant_id,
        source.source_id,
        from,
        batch.map((segment) => segment.start_seconds),
        batch.map((segment) => segment.end_seconds),
        batch.map((segment) => segment.speaker),
        batch.map((segment) => segment.text),
      ],
    ),
  );
}

/** Removes the passages that are not among `passages`, and puts those that stay in their new places. Gives the ids that stay. */
async function keepPassages(
  client: PgClient,
  source: SourceRef,
  owner: { language: string },
  passages: NewPassage[],
): Promise<ReadonlySet<string>> {
  const ids = passages.map(({ id }) => id);
  const { rows } = await client.query<{ id: string; stays: boolean }>(
    'SELECT id, id = ANY($3::uuid[]) AS stays FROM passages WHERE tenant_id = $1 AND source_id = $2',
    [source.tenant_id, source.source_id, ids],
  );
  const gone = rows.filter(({ stays }) => !stays).map(({ id }) => id);
  const kept = new Set(rows.filter(({ stays }) => stays).map(({ id }) => id));
  if (gone.length > 0)
    await client.query('DELETE FROM passages WHERE tenant_id = $1 AND id = ANY($2::uuid[])', [source.tenant_id, gone]);
  const staying = passages.flatMap((passage, ordinal) => (kept.has(passage.id) ? [{ ...passage, ordinal }] : []));
  await inBatches(staying, (batch) =>
    client.query(
      `UPDATE passages p SET ordinal = n.ordinal, start_seconds = n.start_seconds, end_seconds = n.end_seconds,
              segments = n.segments, language = $2::regconfig
       FROM unnest($3::uuid[], $4::int[], $5::double precision[], $6::double precision[], $7::jsonb[])
            AS n(id, ordinal, start_seconds, end_seconds, segments)
       WHERE p.tenant_id = $1 AND p.id = n.id
         AND (p.ordinal, p.start_seconds, p.end_seconds, p.segments, p.language)
             IS DISTINCT FROM (n.ordinal, n.start_seconds, n.end_seconds, n.segments, $2::regconfig)`,
      [
        source.tenant_id,
        textConfiguration(owner.language),
        batch.map(({ id }) => id),
        batch.map(({ ordinal }) => ordinal),
        batch.map(({ start_seconds }) => start_seconds),
        batch.map(({ end_seconds }) => end_seconds),
        batch.map(({ segments }) => JSON.stringify(segments)),
      ],
    ),
  );
  return kept;
}

async function insertPassages(
  client: PgClient,
  source: SourceRef,
  owner: { creator_id: string; language: string },
  passages: NewPassage[],
  kept: ReadonlySet<string>,
): Promise<void> {
  const fresh = passages.flatMap((passage, ordinal) => (kept.has(passage.id) ? [] : [{ ...passage, ordinal }]));
  await inBatches(fresh, (batch) =>
    client.query(
      `INSERT INTO passages (id, tenant_id, creator_id, source_id, ordinal, text, start_seconds, end_seconds, segments, language)
       SELECT p.id, $1, $2, $3, p.ordinal, p.text, p.start_seconds, p.end_seconds, p.segments, $4::regconfig
       FROM unnest($5::uuid[], $6::int[], $7::text[], $8::double precision[], $9::double precision[], $10::jsonb[])
            AS p(id, ordinal, text, start_seconds, end_seconds, segments)`,
      [
        source.tenant_id,
        owner.creator_id,
        source.source_id,
        textConfiguration(owner.language),
        batch.map((passage) => passage.id),
        batch.map((passage) => passage.ordinal),
        batch.map((passage) => passage.text),
        batch.map((passage) => passage.start_seconds),
        batch.map((passage) => passage.end_seconds),
        batch.map((passage) => JSON.stringify(passage.segments)),
      ],
    ),
  );
}

async function insertVectors(
  client: PgClient,
  owner: SourceRef & { creator_id: string; model: string },
  vectors: NewVector[],
): Promise<void> {
  await inBatches(vectors, (batch) =>
    client.query(
      `INSERT INTO passage_vectors (tenant_id, creator_id, model, passage_id, part, vector)
       SELECT $1, $2, $3, * FROM unnest($4::uuid[], $5::smallint[], $6::bytea[])`,
      [
        owner.tenant_id,
        owner.creator_id,
        owner.model,
        batch.map((vector) => vector.passage_id),
        batch.map((vector) => vector.part),
        batch.map((vector) => packVector(vector.vector)),
      ],
    ),
  );
}

async function inBatches<T>(rows: T[], insert: (batch: T[], from: number) => Promise<unknown>): Promise<void> {
  for (let from = 0; from < rows.length; from += batchRows) await insert(rows.slice(from, from + batchRows), from);
}
