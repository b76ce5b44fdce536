import { endianness } from 'node:os';
import type { SourceView } from '@sidestage/contracts';
import type { PgPool } from '@sidestage/runtime';
import { textConfigurations } from './ingestion.js';

/** Whose knowledge is searched. */
export interface CreatorRef {
  tenant_id: string;
  creator_id: string;
}

export interface ActiveCreator extends CreatorRef {
  knowledge_version: number;
  /** When a fan spoke to it last, else when a source of it was last ready. */
  active_at: Date;
}

/** In how many passages of a creator each word stands. */
export interface WordStats {
  passages: number;
  /** Of all passages, repeats counted. */
  words: number;
  /** Passages by lexeme. */
  holders: ReadonlyMap<string, number>;
}

/** A source a fan may be looking at. */
export interface WatchableSource {
  source_id: string;
  title: string;
  url: string | null;
}

/** The passages of a source as they are searched. */
export interface PassageSet {
  source_id: string;
  /** Changes with them. */
  set_id: string;
}

/** What a search has to know of a creator before it begins. */
export interface SearchScope {
  /** Counts up whenever what the creator knows changes. */
  knowledge_version: number;
  sources_ready: number;
  /** The question's stems in the creator's language, stop words left out. */
  lexemes: string[];
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

/** The vector of a packed column (float32, little endian). Copied: the driver's buffer may lie at any address, and is shared. */
export function unpackVector(packed: Uint8Array): Float32Array {
  const copy = Uint8Array.from(packed);
  if (endianness() === 'BE') Buffer.from(copy.buffer).swap32();
  return new Float32Array(copy.buffer);
}

/** Passages of one statement (some 3 MB of vectors): a source of ten megabytes stays below the time limit, and others get their turn. */
const passagesAtOnce = 500;

/** Between a lexeme and its count, and between lexemes: characters no lexeme holds. One string is read far faster than two arrays. */
const separators = { count: '\x1f', lexeme: '\x1e' } as const;

function readLexemes(joined: string): { lexeme: string; count: number }[] {
  if (joined === '') return [];
  return joined.split(separators.lexeme).map((entry) => {
    const at = entry.lastIndexOf(separators.count);
    return { lexeme: entry.slice(0, at), count: Number(entry.slice(at + 1)) };
  });
}

/** As many vectors of one length as `parts` says. */
function readVectors(packed: Buffer | null, parts: number): Float32Array[] {
  if (packed === null || parts === 0) return [];
  const length = packed.length / parts;
  return Array.from({ length: parts }, (_, at) => unpackVector(packed.subarray(at * length, (at + 1) * length)));
}

async function indexedPage(
  pool: PgPool,
  source: { tenant_id: string; source_id: string },
  model: string,
  from: number,
): Promise<IndexedPassageRow[]> {
  const { rows } = await pool.query<{ id: string; lexemes: string; packed: Buffer | null; parts: number }>(
    `SELECT p.id, w.lexemes, v.packed, v.parts FROM passages p
     CROSS JOIN LATERAL (SELECT coalesce(string_agg(lexeme || $4 || cardinality(positions), $5), '') AS lexemes
                         FROM unnest(p.search)) w
     CROSS JOIN LATERAL (SELECT string_agg(vector, ''::bytea ORDER BY part) AS packed, count(*)::int AS parts FROM passage_vectors
                         WHERE tenant_id = p.tenant_id AND passage_id = p.id AND model = $3) v
     WHERE p.tenant_id = $1 AND p.source_id = $2 AND p.ordinal >= $6 ORDER BY p.ordinal LIMIT $7`,
    [source.tenant_id, source.source_id, model, separators.count, separators.lexeme, from, passagesAtOnce],
  );
  return rows.map(({ id, lexemes, packed, parts }) => {
    const [whole = new Float32Array(), ...small] = readVectors(packed, parts);
    return { id, lexemes: readLexemes(lexemes), whole, small };
  });
}

/** What search reads, as the engine: every statement names its tenant. */
export function makePassageRepository(pool: PgPool) {
  return {
    /** What a search for `question` begins with. Null when the tenant has no such creator. */
    async scope({ tenant_id, creator_id }: CreatorRef, question: string): Promise<SearchScope | null> {
      // Prepared once a connection: planning would take longer than running.
      const { rows } = await pool.query<SearchScope>({
        name: 'search-scope',
        text: `SELECT c.knowledge_version, (SELECT count(*)::int FROM sources s
           WHERE s.tenant_id = c.tenant_id AND s.creator_id = c.id AND s.status = 'ready') AS sources_ready,
           tsvector_to_array(to_tsvector(
             coalesce($4::jsonb ->> split_part(lower(c.language), '-', 1), 'simple')::regconfig, $3)) AS lexemes
         FROM creators c WHERE c.tenant_id = $1 AND c.id = $2`,
        values: [tenant_id, creator_id, question, JSON.stringify(textConfigurations)],
      });
      return rows[0] ?? null;
    },

    /** Every source of the creator that has passages, with the name of the set they are: another name, other passages. */
    async passageSets({ tenant_id, creator_id }: CreatorRef): Promise<PassageSet[]> {
      const { rows } = await pool.query<PassageSet>(
        `SELECT id AS source_id, passage_set AS set_id FROM sources
         WHERE tenant_id = $1 AND creator_id = $2 AND passage_set IS NOT NULL`,
        [tenant_id, creator_id],
      );
      return rows;
    },

    async wordStats({ tenant_id, creator_id }: CreatorRef): Promise<WordStats> {
      const values = [tenant_id, creator_id];
      const { rows } = await pool.query<{ lexeme: string; holders: number; times: number }>(
        `SELECT lexeme, count(*)::int AS holders, sum(cardinality(positions))::int AS times
         FROM passages p, unnest(p.search) WHERE p.tenant_id = $1 AND p.creator_id = $2 GROUP BY lexeme`,
        values,
      );
      const counted = await pool.query<{ passages: number }>(
        'SELECT count(*)::int AS passages FROM passages WHERE tenant_id = $1 AND creator_id = $2',
        values,
      );
      return {
        passages: counted.rows[0]?.passages ?? 0,
        words: rows.reduce((sum, { times }) => sum + times, 0),
        holders: new Map(rows.map(({ lexeme, holders }) => [lexeme, holders])),
      };
    },

    /** Sources that have an address or may be watched on our own page. */
    async watchable({ tenant_id, creator_id }: CreatorRef): Promise<WatchableSource[]> {
      const { rows } = await pool.query<WatchableSource>(
        `SELECT id AS source_id, title, url FROM sources
         WHERE tenant_id = $1 AND creator_id = $2 AND passage_set IS NOT NULL`,
        [tenant_id, creator_id],
      );
      return rows;
    },

    /** That of one source; null where it has no passages (any more). */
    async passageSet({ tenant_id, source_id }: { tenant_id: string; source_id: string }): Promise<string | null> {
      const { rows } = await pool.query<{ set_id: string | null }>(
        'SELECT passage_set AS set_id FROM sources WHERE tenant_id = $1 AND id = $2',
        [tenant_id, source_id],
      );
      return rows[0]?.set_id ?? null;
    },

    /** The passages of a source in order, with words and the vectors of one model. A long source is read in several statements. */
    async indexed(source: { tenant_id: string; source_id: string }, model: string): Promise<IndexedPassageRow[]> {
      const found: IndexedPassageRow[] = [];
      for (;;) {
        const page = await indexedPage(pool, source, model, found.length);
        found.push(...page);
        if (page.length < passagesAtOnce) return found;
      }
    },

    /** Passages by id, of this creator only, in no order. Those of deleted sources are not there. */
    async byIds({ tenant_id, creator_id }: CreatorRef, ids: string[]): Promise<PassageRow[]> {
      const { rows } = await pool.query<PassageRow>({
        name: 'passages-by-id',
        text: `SELECT p.id, p.tenant_id, p.creator_id, p.source_id, p.ordinal, p.text, p.start_seconds, p.end_seconds, p.segments,
                s.title AS source_title, s.url AS source_url, s.kind AS source_kind
         FROM passages p JOIN sources s ON s.tenant_id = p.tenant_id AND s.id = p.source_id
         WHERE p.tenant_id = $1 AND p.creator_id = $2 AND p.id = ANY($3::uuid[])`,
        values: [tenant_id, creator_id, ids],
      });
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

    /** Creators with searchable sources: those fans spoke to last first, then those with the newest sources. */
    async creatorsByActivity(limit: number): Promise<ActiveCreator[]> {
      const { rows } = await pool.query<ActiveCreator>(
        `SELECT c.tenant_id, c.id AS creator_id, c.knowledge_version, coalesce(spoken.at, fed.at) AS active_at
         FROM creators c
         CROSS JOIN LATERAL (SELECT max(updated_at) AS at FROM sources
                             WHERE tenant_id = c.tenant_id AND creator_id = c.id AND status = 'ready') fed
         LEFT JOIN LATERAL (SELECT last_message_at AS at FROM conversations WHERE tenant_id = c.tenant_id AND creator_id = c.id
                            ORDER BY last_message_at DESC LIMIT 1) spoken ON true
         WHERE fed.at IS NOT NULL ORDER BY spoken.at DESC NULLS LAST, fed.at DESC LIMIT $1`,
        [limit],
      );
      return rows;
    },

    async tenantsWithPassages(): Promise<string[]> {
      const { rows } = await pool.query<{ tenant_id: string }>(
        'SELECT id AS tenant_id FROM tenants t WHERE EXISTS (SELECT FROM passages p WHERE p.tenant_id = t.id)',
      );
      return rows.map((row) => row.tenant_id);
    },

    /** Those of all creators of a tenant. */
    async passageSetsOfTenant(tenantId: string): Promise<(PassageSet & { creator_id: string })[]> {
      const { rows } = await pool.query<PassageSet & { creator_id: string }>(
        `SELECT creator_id, id AS source_id, passage_set AS set_id FROM sources
         WHERE tenant_id = $1 AND passage_set IS NOT NULL`,
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
