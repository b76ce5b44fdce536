import type { SourceView } from '@sidestage/contracts';
import type { PgPool } from '@sidestage/runtime';

/** Whose knowledge is searched. */
export interface CreatorRef {
  tenant_id: string;
  creator_id: string;
}

/** What a search has to know of a creator before it begins. */
export interface SearchScope {
  /** Counts up whenever what the creator knows changes. */
  knowledge_version: number;
  sources_ready: number;
  language: string;
}

export interface PassageRow {
  id: string;
  tenant_id: string;
  creator_id: string;
  source_id: string;
  ordinal: number;
  text: string;
  start_seconds: number | null;
  end_seconds: number | null;
  segments: unknown;
  source_title: string;
  source_url: string | null;
  source_kind: SourceView['kind'];
}

export interface VectorRow {
  passage_id: string;
  source_id: string;
  part: number;
  vector: Float32Array;
}

/** How well a passage's words match, by PostgreSQL's full text. */
export interface TextHit {
  passage_id: string;
  source_id: string;
  rank: number;
}

/** The vector of a packed column. Copied: the driver's buffer may lie at any address, and is shared. */
export function unpackVector(packed: Buffer): Float32Array {
  const vector = new Float32Array(packed.length >> 2);
  for (let at = 0; at < vector.length; at++) vector[at] = packed.readFloatLE(at * 4);
  return vector;
}

/** What search reads, as the engine: every statement names its tenant. */
export function makePassageRepository(pool: PgPool) {
  return {
    /** Null when the tenant has no such creator. */
    async scope({ tenant_id, creator_id }: CreatorRef): Promise<SearchScope | null> {
      const { rows } = await pool.query<SearchScope>(
        `SELECT c.knowledge_version, c.language, (SELECT count(*)::int FROM sources s
           WHERE s.tenant_id = c.tenant_id AND s.creator_id = c.id AND s.status = 'ready') AS sources_ready
         FROM creators c WHERE c.tenant_id = $1 AND c.id = $2`,
        [tenant_id, creator_id],
      );
      return rows[0] ?? null;
    },

    /** Every source of the creator that has passages, with its first passage: another one means other passages. */
    async firstPassages({ tenant_id, creator_id }: CreatorRef): Promise<{ source_id: string; passage_id: string }[]> {
      const { rows } = await pool.query<{ source_id: string; passage_id: string }>(
        'SELECT source_id, id AS passage_id FROM passages WHERE tenant_id = $1 AND creator_id = $2 AND ordinal = 0',
        [tenant_id, creator_id],
      );
      return rows;
    },

    /** The vectors of one model of one source, passages in order. */
    async vectors(source: { tenant_id: string; source_id: string }, model: string): Promise<VectorRow[]> {
      const { rows } = await pool.query<Omit<VectorRow, 'vector'> & { vector: Buffer }>(
        `SELECT v.passage_id, p.source_id, v.part, v.vector FROM passages p
         JOIN passage_vectors v ON v.tenant_id = p.tenant_id AND v.passage_id = p.id AND v.model = $3
         WHERE p.tenant_id = $1 AND p.source_id = $2 ORDER BY p.ordinal, v.part`,
        [source.tenant_id, source.source_id, model],
      );
      return rows.map((row) => ({ ...row, vector: unpackVector(row.vector) }));
    },

    /** Passages by id, of this creator only, in no order. Those of deleted sources are not there. */
    async byIds({ tenant_id, creator_id }: CreatorRef, ids: string[]): Promise<PassageRow[]> {
      const { rows } = await pool.query<PassageRow>(
        `SELECT p.id, p.tenant_id, p.creator_id, p.source_id, p.ordinal, p.text, p.start_seconds, p.end_seconds, p.segments,
                s.title AS source_title, s.url AS source_url, s.kind AS source_kind
         FROM passages p JOIN sources s ON s.tenant_id = p.tenant_id AND s.id = p.source_id
         WHERE p.tenant_id = $1 AND p.creator_id = $2 AND p.id = ANY($3::uuid[])`,
        [tenant_id, creator_id, ids],
      );
      return rows;
    },

    /** The passages of a source in order. */
    async ofSource(source: { tenant_id: string; source_id: string }): Promise<PassageRow[]> {
      const { rows } = await pool.query<PassageRow>(
        `SELECT p.id, p.tenant_id, p.creator_id, p.source_id, p.ordinal, p.text, p.start_seconds, p.end_seconds, p.segments,
                s.title AS source_title, s.url AS source_url, s.kind AS source_kind
         FROM passages p JOIN sources s ON s.tenant_id = p.tenant_id AND s.id = p.source_id
         WHERE p.tenant_id = $1 AND p.source_id = $2 ORDER BY p.ordinal`,
        [source.tenant_id, source.source_id],
      );
      return rows;
    },

    /** Full text over any of the words, best first. `configuration` is textConfiguration's. */
    async matchingText(
      { tenant_id, creator_id }: CreatorRef,
      words: string[],
      configuration: string,
      limit: number,
    ): Promise<TextHit[]> {
      if (words.length === 0) return [];
      const { rows } = await pool.query<TextHit>(
        `WITH asked AS (SELECT string_agg(quote_literal(lexeme), ' | ')::tsquery AS query
                        FROM unnest(to_tsvector($4::regconfig, $3)) AS t(lexeme, positions, weights))
         SELECT p.id AS passage_id, p.source_id, ts_rank_cd(p.search, asked.query, 1) AS rank FROM passages p, asked
         WHERE p.tenant_id = $1 AND p.creator_id = $2 AND asked.query IS NOT NULL AND p.search @@ asked.query
         ORDER BY rank DESC, p.id LIMIT $5`,
        [tenant_id, creator_id, words.join(' '), configuration, limit],
      );
      return rows;
    },

    /** Creators with searchable sources, page by page, for a rebuild. `after` is the last id of the page before, null at first. */
    async creatorsWithPassages(after: string | null, limit: number): Promise<CreatorRef[]> {
      const { rows } = await pool.query<CreatorRef>(
        `SELECT c.tenant_id, c.id AS creator_id FROM creators c
         WHERE ($1::uuid IS NULL OR c.id > $1) AND EXISTS (
           SELECT FROM passages p WHERE p.tenant_id = c.tenant_id AND p.creator_id = c.id)
         ORDER BY c.id LIMIT $2`,
        [after, limit],
      );
      return rows;
    },

    /** Which of these sources still have passages beginning with this one. */
    async stillThere(tenantId: string, firstPassageIds: string[]): Promise<Set<string>> {
      const { rows } = await pool.query<{ id: string }>(
        'SELECT id FROM passages WHERE tenant_id = $1 AND id = ANY($2::uuid[])',
        [tenantId, firstPassageIds],
      );
      return new Set(rows.map((row) => row.id));
    },
  };
}
export type PassageRepository = ReturnType<typeof makePassageRepository>;
