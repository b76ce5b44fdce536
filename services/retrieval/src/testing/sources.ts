import { makeId } from '@sidestage/runtime';
import type { SourceVersion } from '@sidestage/store';
import type { TestDatabase } from '@sidestage/testkit';
import type { SourceFormat } from '../parse/parse-source.js';

export interface TestCreator {
  tenant_id: string;
  creator_id: string;
}

export interface SourceState {
  status: string;
  error: string | null;
  passages: number;
  progress: number;
  content_version: number;
}

/** A creator of a tenant of its own (or of `tenantId`). */
export async function addCreator(database: TestDatabase, tenantId = makeId()): Promise<TestCreator> {
  const creator = { tenant_id: tenantId, creator_id: makeId() };
  await database.query('INSERT INTO tenants (id, name) VALUES ($1, $2) ON CONFLICT DO NOTHING', [tenantId, 'A tenant']);
  await database.query('INSERT INTO creators (id, tenant_id, slug, name) VALUES ($1, $2, $3, $4)', [
    creator.creator_id,
    tenantId,
    creator.creator_id,
    'A creator',
  ]);
  return creator;
}

/** A source as the gateway writes it: queued, with its content or an address to fetch. */
export async function addSource(
  database: TestDatabase,
  creator: TestCreator,
  content: string | null,
  format: SourceFormat = 'text',
  url: string | null = null,
): Promise<SourceVersion> {
  const source_id = makeId();
  const { tenant_id, creator_id } = creator;
  await database.query(
    `INSERT INTO sources (id, tenant_id, creator_id, title, kind, format, url) VALUES ($1, $2, $3, 'A source', 'article', $4, $5)`,
    [source_id, tenant_id, creator_id, format, url],
  );
  if (content !== null)
    await database.query('INSERT INTO source_contents (tenant_id, source_id, content) VALUES ($1, $2, $3)', [
      tenant_id,
      source_id,
      content,
    ]);
  return { tenant_id, source_id, content_version: 1 };
}

/** As the gateway replaces a source. */
export async function replaceSource(
  database: TestDatabase,
  source: SourceVersion,
  content: string,
): Promise<SourceVersion> {
  const values = [source.tenant_id, source.source_id];
  await database.query(
    `UPDATE sources SET content_version = content_version + 1, status = 'queued', updated_at = now() WHERE tenant_id = $1 AND id = $2`,
    values,
  );
  await database.query('UPDATE source_contents SET content = $3 WHERE tenant_id = $1 AND source_id = $2', [
    ...values,
    content,
  ]);
  return { ...source, content_version: source.content_version + 1 };
}

export async function deleteSource(database: TestDatabase, source: SourceVersion): Promise<void> {
  await database.query('DELETE FROM sources WHERE tenant_id = $1 AND id = $2', [source.tenant_id, source.source_id]);
}

export async function stateOf(database: TestDatabase, source: SourceVersion): Promise<SourceState | undefined> {
  const [state] = await database.query<SourceState>(
    'SELECT status, error, passages, progress, content_version FROM sources WHERE id = $1',
    [source.source_id],
  );
  return state;
}
