import { makeId } from '@sidestage/runtime';
import type { TestDatabase } from '@sidestage/testkit';
import type { Show } from './shows.js';

/** A show as a creator of its own tenant, its episodes queued in Postgres as the gateway would have left them. */
export interface StoredShow {
  tenant_id: string;
  creator_id: string;
  /** Episode's file by source id. */
  files: Map<string, string>;
}

export async function storeShow(database: TestDatabase, show: Show): Promise<StoredShow> {
  const stored: StoredShow = { tenant_id: makeId(), creator_id: makeId(), files: new Map() };
  const { tenant_id, creator_id } = stored;
  await database.query('INSERT INTO tenants (id, name) VALUES ($1, $2)', [tenant_id, show.name]);
  await database.query('INSERT INTO creators (id, tenant_id, slug, name) VALUES ($1, $2, $3, $3)', [
    creator_id,
    tenant_id,
    show.name,
  ]);
  for (const { file, content } of show.episodes) {
    const id = makeId();
    stored.files.set(id, file);
    // Old enough for the sweeper to take it at its first look.
    await database.query(
      `INSERT INTO sources (id, tenant_id, creator_id, title, kind, format, updated_at)
       VALUES ($1, $2, $3, $4, 'podcast', 'markdown', now() - interval '1 hour')`,
      [id, tenant_id, creator_id, file],
    );
    await database.query('INSERT INTO source_contents (tenant_id, source_id, content) VALUES ($1, $2, $3)', [
      tenant_id,
      id,
      content,
    ]);
  }
  return stored;
}

/** Whether every episode is ready. Throws when one has failed. */
export async function isIngested(database: TestDatabase, { tenant_id }: StoredShow): Promise<boolean> {
  const rows = await database.query<{ title: string; status: string; error: string | null }>(
    'SELECT title, status, error FROM sources WHERE tenant_id = $1',
    [tenant_id],
  );
  const failed = rows.find(({ status }) => status === 'failed');
  if (failed) throw new Error(`${failed.title}: ${failed.error}`);
  return rows.every(({ status }) => status === 'ready');
}
