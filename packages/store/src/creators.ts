import { makeId, type PgClient } from '@sidestage/runtime';
import { recordAudit } from './audit.js';
import type { Database } from './database.js';
import { readTimeCursor, toPage } from './pages.js';

export interface CreatorRow {
  id: string;
  tenant_id: string;
  /** The account that made it; null when a key did. */
  owner_id: string | null;
  slug: string;
  name: string;
  description: string;
  persona: string;
  language: string;
  public: boolean;
  avatar_url: string | null;
  questions: string[];
  knowledge_version: number;
  persona_version: number;
  sources_ready: number;
  created_at: Date;
}

/** What a creator is made of, as clients send it. */
export interface CreatorFields {
  name: string;
  slug: string;
  description: string;
  persona: string;
  language: string;
  public: boolean;
  avatar_url: string | null;
  questions: string[];
}

/** Who looks: `all` sees private creators too, an account sees its own. */
export interface CreatorViewer {
  all: boolean;
  userId: string | null;
}

/** The slug is another creator's in this tenant. */
export class SlugTakenError extends Error {
  constructor(readonly slug: string) {
    super(`the slug ${slug} is taken`);
    this.name = 'SlugTakenError';
  }
}

const columns = `c.id, c.tenant_id, c.owner_id, c.slug, c.name, c.description, c.persona, c.language, c.public, c.avatar_url,
  c.questions, c.knowledge_version, c.persona_version, c.created_at,
  (SELECT count(*)::int FROM sources s WHERE s.tenant_id = c.tenant_id AND s.creator_id = c.id AND s.status = 'ready') AS sources_ready`;
const patchable = ['name', 'slug', 'description', 'persona', 'language', 'public', 'avatar_url', 'questions'] as const;
/** A change of one of these makes cached answers wrong. */
const personaFields = new Set<string>(['name', 'persona', 'language']);

async function refusingTakenSlug<T>(slug: string | undefined, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Error && 'constraint' in error && error.constraint === 'creators_tenant_id_slug_key')
      throw new SlugTakenError(slug ?? '');
    throw error;
  }
}

async function findById(client: PgClient, id: string): Promise<CreatorRow | null> {
  const { rows } = await client.query<CreatorRow>(`SELECT ${columns} FROM creators c WHERE c.id = $1`, [id]);
  return rows[0] ?? null;
}

/** The personas fans talk to. */
export function makeCreatorRepository(database: Pick<Database, 'asTenant'>) {
  return {
    /** Throws SlugTakenError. */
    create(
      creator: CreatorFields & { tenant_id: string; owner_id: string | null; actor: string },
    ): Promise<CreatorRow> {
      return refusingTakenSlug(creator.slug, () =>
        database.asTenant(creator.tenant_id, async (client) => {
          const id = makeId();
          await client.query(
            `INSERT INTO creators (id, tenant_id, owner_id, slug, name, description, persona, language, public, avatar_url, questions)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
            [
              id,
              creator.tenant_id,
              creator.owner_id,
              creator.slug,
              creator.name,
              creator.description,
              creator.persona,
              creator.language,
              creator.public,
              creator.avatar_url,
              creator.questions,
            ],
          );
          await recordAudit(client, {
            tenant_id: creator.tenant_id,
            actor: creator.actor,
            action: 'creator.created',
            subject: `creator:${id}`,
            detail: { slug: creator.slug },
          });
          return (await findById(client, id))!;
        }),
      );
    },

    /** By slug or by id; an id is tried first. */
    find(tenantId: string, by: { id: string } | { slug: string }): Promise<CreatorRow | null> {
      return database.asTenant(tenantId, async (client) => {
        if ('id' in by) return findById(client, by.id);
        const { rows } = await client.query<CreatorRow>(`SELECT ${columns} FROM creators c WHERE c.slug = $1`, [
          by.slug,
        ]);
        return rows[0] ?? null;
      });
    },

    /** The tenant's first public creator. */
    first(tenantId: string): Promise<CreatorRow | null> {
      return database.asTenant(tenantId, async (client) => {
        const { rows } = await client.query<CreatorRow>(
          `SELECT ${columns} FROM creators c WHERE c.public ORDER BY c.created_at, c.id LIMIT 1`,
        );
        return rows[0] ?? null;
      });
    },

    /** Oldest first; `q` is looked for in name, slug and description. */
    list(
      tenantId: string,
      query: { viewer: CreatorViewer; q?: string; limit: number; cursor?: string },
    ): Promise<{ rows: CreatorRow[]; next_cursor: string | null }> {
      const after = readTimeCursor(query.cursor);
      const pattern = query.q ? `%${query.q.replace(/[\\%_]/g, '\\$&')}%` : null;
      return database.asTenant(tenantId, async (client) => {
        const { rows } = await client.query<CreatorRow & { cursor_at: string }>(
          `SELECT ${columns}, c.created_at::text AS cursor_at FROM creators c
           WHERE (c.public OR $1 OR c.owner_id = $2::uuid)
             AND ($3::text IS NULL OR c.name ILIKE $3 OR c.slug ILIKE $3 OR c.description ILIKE $3)
             AND ($4::timestamptz IS NULL OR (c.created_at, c.id) > ($4::timestamptz, $5::uuid))
           ORDER BY c.created_at, c.id LIMIT $6`,
          [query.viewer.all, query.viewer.userId, pattern, after?.at ?? null, after?.id ?? null, query.limit + 1],
        );
        return toPage(rows, query.limit);
      });
    },

    /** Changes what `patch` names. Null when there is no such creator. Throws SlugTakenError. */
    update(tenantId: string, id: string, patch: Partial<CreatorFields>, actor: string): Promise<CreatorRow | null> {
      const names = patchable.filter((name) => patch[name] !== undefined);
      const assignments = names.map((name, index) => `${name} = $${index + 2}`);
      if (names.some((name) => personaFields.has(name))) assignments.push('persona_version = persona_version + 1');
      return refusingTakenSlug(patch.slug, () =>
        database.asTenant(tenantId, async (client) => {
          const { rowCount } = await client.query(`UPDATE creators SET ${assignments.join(', ')} WHERE id = $1`, [
            id,
            ...names.map((name) => patch[name]),
          ]);
          if (rowCount !== 1) return null;
          await recordAudit(client, {
            tenant_id: tenantId,
            actor,
            action: 'creator.changed',
            subject: `creator:${id}`,
            detail: { fields: names },
          });
          return findById(client, id);
        }),
      );
    },

    /** Removes it with its sources, passages and conversations; resolves with the ids of its sources, null when there was none. */
    remove(tenantId: string, id: string, actor: string): Promise<{ source_ids: string[] } | null> {
      return database.asTenant(tenantId, async (client) => {
        const { rows } = await client.query<{ id: string }>('SELECT id FROM sources WHERE creator_id = $1', [id]);
        const { rowCount } = await client.query('DELETE FROM creators WHERE id = $1', [id]);
        if (rowCount !== 1) return null;
        await recordAudit(client, {
          tenant_id: tenantId,
          actor,
          action: 'creator.deleted',
          subject: `creator:${id}`,
          detail: { sources: rows.length },
        });
        return { source_ids: rows.map((row) => row.id) };
      });
    },
  };
}
export type CreatorRepository = ReturnType<typeof makeCreatorRepository>;
