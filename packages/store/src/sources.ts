import { createHash } from 'node:crypto';
import type { Segment, SourceView } from '@sidestage/contracts';
import { makeId, type PgClient } from '@sidestage/runtime';
import { recordAudit } from './audit.js';
import type { Database } from './database.js';
import { readTimeCursor, toPage } from './pages.js';

export interface SourceRow {
  id: string;
  tenant_id: string;
  creator_id: string;
  title: string;
  kind: SourceView['kind'];
  url: string | null;
  published_at: Date | null;
  format: SourceView['format'];
  content_version: number;
  status: SourceView['status'];
  /** 0 to 1 */
  progress: number;
  passages: number;
  error: string | null;
  /** Of the content, in hex; null until it is there. */
  content_sha256: string | null;
  created_at: Date;
}

export interface NewSource {
  tenant_id: string;
  creator_id: string;
  title: string;
  kind: SourceRow['kind'];
  url: string | null;
  published_at: string | null;
  format: SourceRow['format'];
  /** Text, of a PDF base64; null: to be fetched from `url`. */
  content: string | null;
  actor: string;
}

/** Absent fields stay. */
export type SourceReplacement = Partial<Pick<NewSource, 'title' | 'kind' | 'url' | 'published_at' | 'format'>> & {
  content: string | null;
  actor: string;
};

const columns =
  'id, tenant_id, creator_id, title, kind, url, published_at, format, content_version, status, progress, passages, error, content_sha256, created_at';

/** SHA-256 in hex of a content as it is kept: text, of a PDF its bytes in base64. */
export function contentHash(format: SourceView['format'], content: string): string {
  return createHash('sha256')
    .update(content, format === 'pdf' ? 'base64' : 'utf8')
    .digest('hex');
}

/** Null takes what was there away: it is fetched anew. */
async function keepContent(
  client: PgClient,
  { tenant_id, source_id, content }: { tenant_id: string; source_id: string; content: string | null },
): Promise<void> {
  if (content === null) {
    await client.query('DELETE FROM source_contents WHERE tenant_id = $1 AND source_id = $2', [tenant_id, source_id]);
    return;
  }
  await client.query(
    `INSERT INTO source_contents (tenant_id, source_id, content) VALUES ($1, $2, $3)
     ON CONFLICT (tenant_id, source_id) DO UPDATE SET content = EXCLUDED.content`,
    [tenant_id, source_id, content],
  );
}

/** What the creator knows has changed: cached contexts and answers of the earlier version are not used any more. */
async function countKnowledgeUp(client: PgClient, creatorId: string): Promise<void> {
  await client.query('UPDATE creators SET knowledge_version = knowledge_version + 1 WHERE id = $1', [creatorId]);
}

/** The sources of creators as the gateway writes and reads them; ingestion itself is the retrieval service's. */
export function makeSourceRepository(database: Pick<Database, 'asTenant'>) {
  return {
    /** Writes the source and its content, `queued`. Null when the creator is gone. */
    create(source: NewSource): Promise<SourceRow | null> {
      return database.asTenant(source.tenant_id, async (client) => {
        const id = makeId();
        const { rows } = await client.query<SourceRow>(
          `INSERT INTO sources (id, tenant_id, creator_id, title, kind, url, published_at, format, content_sha256)
           SELECT $1, $2, c.id, $4, $5, $6, $7, $8, $9 FROM creators c WHERE c.id = $3 RETURNING ${columns}`,
          [
            id,
            source.tenant_id,
            source.creator_id,
            source.title,
            source.kind,
            source.url,
            source.published_at,
            source.format,
            source.content === null ? null : contentHash(source.format, source.content),
          ],
        );
        if (!rows[0]) return null;
        await keepContent(client, { tenant_id: source.tenant_id, source_id: id, content: source.content });
        await recordAudit(client, {
          tenant_id: source.tenant_id,
          actor: source.actor,
          action: 'source.created',
          subject: `source:${id}`,
        });
        return rows[0];
      });
    },

    /** Replaces the content; the next version is queued. Null when there is no such source of this creator. */
    replace(tenantId: string, creatorId: string, id: string, next: SourceReplacement): Promise<SourceRow | null> {
      return database.asTenant(tenantId, async (client) => {
        const { rows } = await client.query<SourceRow>(
          `UPDATE sources SET title = COALESCE($3, title), kind = COALESCE($4, kind), url = COALESCE($5, url),
                  published_at = COALESCE($6::timestamptz, published_at), format = COALESCE($7, format),
                  content_sha256 = CASE COALESCE($7, format) WHEN 'pdf' THEN $9 ELSE $8 END, content_version = content_version + 1, status = 'queued', progress = 0, error = NULL, updated_at = now()
           WHERE creator_id = $1 AND id = $2 RETURNING ${columns}`,
          [
            creatorId,
            id,
            next.title ?? null,
            next.kind ?? null,
            next.url ?? null,
            next.published_at ?? null,
            next.format ?? null,
            next.content === null ? null : contentHash('text', next.content),
            next.content === null ? null : contentHash('pdf', next.content),
          ],
        );
        if (!rows[0]) return null;
        await keepContent(client, { tenant_id: tenantId, source_id: id, content: next.content });
        await recordAudit(client, {
          tenant_id: tenantId,
          actor: next.actor,
          action: 'source.replaced',
          subject: `source:${id}`,
        });
        return rows[0];
      });
    },

    find(tenantId: string, id: string): Promise<SourceRow | null> {
      return database.asTenant(tenantId, async (client) => {
        const { rows } = await client.query<SourceRow>(`SELECT ${columns} FROM sources WHERE id = $1`, [id]);
        return rows[0] ?? null;
      });
    },

    /** Of one creator, oldest first. */
    list(
      tenantId: string,
      creatorId: string,
      query: { limit: number; cursor?: string },
    ): Promise<{ rows: SourceRow[]; next_cursor: string | null }> {
      const after = readTimeCursor(query.cursor);
      return database.asTenant(tenantId, async (client) => {
        const { rows } = await client.query<SourceRow & { cursor_at: string }>(
          `SELECT ${columns}, created_at::text AS cursor_at FROM sources
           WHERE creator_id = $1 AND ($2::timestamptz IS NULL OR (created_at, id) > ($2::timestamptz, $3::uuid))
           ORDER BY created_at, id LIMIT $4`,
          [creatorId, after?.at ?? null, after?.id ?? null, query.limit + 1],
        );
        return toPage(rows, query.limit);
      });
    },

    /** What was said, in order; empty until it is ingested. */
    segments(tenantId: string, id: string): Promise<Segment[]> {
      return database.asTenant(tenantId, async (client) => {
        const { rows } = await client.query<{
          start_seconds: number | null;
          end_seconds: number | null;
          speaker: string | null;
          text: string;
        }>('SELECT start_seconds, end_seconds, speaker, text FROM segments WHERE source_id = $1 ORDER BY ordinal', [
          id,
        ]);
        return rows.map((row) => ({
          ...(row.start_seconds !== null && { start_seconds: row.start_seconds }),
          ...(row.end_seconds !== null && { end_seconds: row.end_seconds }),
          ...(row.speaker !== null && { speaker: row.speaker }),
          text: row.text,
        }));
      });
    },

    /** Removes it with its passages and vectors. False when there is no such source of this creator. */
    remove(tenantId: string, creatorId: string, id: string, actor: string): Promise<boolean> {
      return database.asTenant(tenantId, async (client) => {
        const { rowCount } = await client.query('DELETE FROM sources WHERE creator_id = $1 AND id = $2', [
          creatorId,
          id,
        ]);
        if (rowCount !== 1) return false;
        await countKnowledgeUp(client, creatorId);
        await recordAudit(client, { tenant_id: tenantId, actor, action: 'source.deleted', subject: `source:${id}` });
        return true;
      });
    },
  };
}
export type SourceRepository = ReturnType<typeof makeSourceRepository>;
