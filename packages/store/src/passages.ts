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

/** A passage with what an index keeps of it. */
export interface IndexedPassageRow {
  id: string;
  /** Stems (stop words are not among them) with how often each stands in it. */
  lexemes: { lexeme: string; count: number }[];
  /** The passage's vector; of length 0 when it has none of this model. */
  whole: Float32Array;
  /** The vectors of its small windows. */
  small: Float32Array[];
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

    /** The passages of a source in order, with words and the vectors of one model. */
    async indexed(source: { tenant_id: string; source_id: string }, model: string): Promise<IndexedPassageRow[]> {
      const { rows } = await pool.query<{ id: string; words: string[]; counts: number[]; vectors: Buffer[] | null }>(
        `SELECT p.id, w.words, w.counts, v.vectors FROM passages p
         CROSS JOIN LATERAL (SELECT coalesce(array_agg(lexeme), '{}') AS words, coalesce(array_agg(cardinality(positions)), '{}') AS counts
                             FROM unnest(p.search)) w
         LEFT JOIN LATERAL (SELECT array_agg(vector ORDER BY part) AS vectors FROM passage_vectors
                            WHERE tenant_id = p.tenant_id AND passage_id = p.id AND model = $3) v ON true
         WHERE p.tenant_id = $1 AND p.source_id = $2 ORDER BY p.ordinal`,
        [source.tenant_id, source.source_id, model],
      );
      return rows.map(({ id, words, counts, vectors }) => {
        const [whole = new Float32Array(), ...small] = (vectors ?? []).map(unpackVector);
        return { id, lexemes: words.map((lexeme, at) => ({ lexeme, count: counts[at] ?? 1 })), whole, small };
      });
    },

    /** The stems of a question in a full-text configuration (textConfiguration), stop words left out. */
    async lexemes(question: string, configuration: string): Promise<string[]> {
      const { rows } = await pool.query<{ lexemes: string[] }>(
        'SELECT tsvector_to_array(to_tsvector($2::regconfig, $1)) AS lexemes',
        [question, configuration],
      );
      return rows[0]?.lexemes ?? [];
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

    /** The texts of a source's passages, in order. */
    async ofSource(source: { tenant_id: string; source_id: string }): Promise<{ id: string; text: string }[]> {
      const { rows } = await pool.query<{ id: string; text: string }>(
        'SELECT id, text FROM passages WHERE tenant_id = $1 AND source_id = $2 ORDER BY ordinal',
        [source.tenant_id, source.source_id],
      );
      return rows;
    },

    /** The vectors of passages themselves (part 0) of one model, by passage. */
    async wholeVectors(
      { tenant_id, creator_id }: CreatorRef,
      ids: string[],
      model: string,
    ): Promise<Map<string, Float32Array>> {
      const { rows } = await pool.query<{ passage_id: string; vector: Buffer }>(
        `SELECT passage_id, vector FROM passage_vectors
         WHERE tenant_id = $1 AND creator_id = $2 AND passage_id = ANY($3::uuid[]) AND model = $4 AND part = 0`,
        [tenant_id, creator_id, ids, model],
      );
      return new Map(rows.map((row) => [row.passage_id, unpackVector(row.vector)]));
    },

    async tenantsWithPassages(): Promise<string[]> {
      const { rows } = await pool.query<{ tenant_id: string }>(
        'SELECT id AS tenant_id FROM tenants t WHERE EXISTS (SELECT FROM passages p WHERE p.tenant_id = t.id)',
      );
      return rows.map((row) => row.tenant_id);
    },

    /** firstPassages of all creators of a tenant. */
    async firstPassagesOfTenant(
      tenantId: string,
    ): Promise<{ creator_id: string; source_id: string; passage_id: string }[]> {
      const { rows } = await pool.query<{ creator_id: string; source_id: string; passage_id: string }>(
        'SELECT creator_id, source_id, id AS passage_id FROM passages WHERE tenant_id = $1 AND ordinal = 0',
        [tenantId],
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
  };
}
export type PassageRepository = ReturnType<typeof makePassageRepository>;
