import type { Tier } from '@sidestage/contracts';
import { makeId, type PgPool } from '@sidestage/runtime';
import { recordAudit } from './audit.js';
import type { Database } from './database.js';
import { readTimeCursor, toPage } from './pages.js';
import { recordRevocation } from './revocations.js';

export interface ApiKeyRow {
  id: string;
  tenant_id: string;
  name: string;
  tier: Tier;
  prefix: string;
  created_at: Date;
  last_used_at: Date | null;
}

export interface NewApiKey {
  tenant_id: string;
  name: string;
  tier: Tier;
  /** From makeApiKey(). */
  hash: Buffer;
  prefix: string;
  /** Who makes it, for the audit. */
  actor: string;
}

const columns = 'id, tenant_id, name, tier, prefix, created_at, last_used_at';

/** API keys of integrators; only their SHA-256 is stored. */
export function makeApiKeyRepository(database: Pick<Database, 'engine' | 'asTenant'>) {
  return {
    async create(key: NewApiKey): Promise<ApiKeyRow> {
      return database.asTenant(key.tenant_id, async (client) => {
        const id = makeId();
        const { rows } = await client.query<ApiKeyRow>(
          `INSERT INTO api_keys (id, tenant_id, name, tier, key_hash, prefix) VALUES ($1, $2, $3, $4, $5, $6) RETURNING ${columns}`,
          [id, key.tenant_id, key.name, key.tier, key.hash, key.prefix],
        );
        await recordAudit(client, {
          tenant_id: key.tenant_id,
          actor: key.actor,
          action: 'key.created',
          subject: `key:${id}`,
          detail: { name: key.name, tier: key.tier },
        });
        return rows[0]!;
      });
    },

    /** Keys in force of a tenant, newest first. */
    list(
      tenantId: string,
      query: { limit: number; cursor?: string },
    ): Promise<{ rows: ApiKeyRow[]; next_cursor: string | null }> {
      const before = readTimeCursor(query.cursor);
      return database.asTenant(tenantId, async (client) => {
        const { rows } = await client.query<ApiKeyRow & { cursor_at: string }>(
          `SELECT ${columns}, created_at::text AS cursor_at FROM api_keys
           WHERE revoked_at IS NULL AND ($1::timestamptz IS NULL OR (created_at, id) < ($1::timestamptz, $2::uuid))
           ORDER BY created_at DESC, id DESC LIMIT $3`,
          [before?.at ?? null, before?.id ?? null, query.limit + 1],
        );
        return toPage(rows, query.limit);
      });
    },

    async find(tenantId: string, id: string): Promise<ApiKeyRow | null> {
      return database.asTenant(tenantId, async (client) => {
        const { rows } = await client.query<ApiKeyRow>(
          `SELECT ${columns} FROM api_keys WHERE id = $1 AND revoked_at IS NULL`,
          [id],
        );
        return rows[0] ?? null;
      });
    },

    /** False when there is no such key in force. */
    async revoke(tenantId: string, id: string, actor: string): Promise<boolean> {
      return database.asTenant(tenantId, async (client) => {
        const { rowCount } = await client.query(
          'UPDATE api_keys SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL',
          [id],
        );
        if (rowCount !== 1) return false;
        await recordRevocation(client, tenantId, `key:${id}`);
        await recordAudit(client, { tenant_id: tenantId, actor, action: 'key.revoked', subject: `key:${id}` });
        return true;
      });
    },

    /** The key in force with this hash, of any tenant: this is how a tenant is found. */
    findByHash: (hash: Buffer) => findByHash(database.engine, hash),

    /** Remembers that these keys were used just now. */
    async touch(ids: string[]): Promise<void> {
      await database.engine.query('UPDATE api_keys SET last_used_at = now() WHERE id = ANY($1::uuid[])', [ids]);
    },
  };
}
export type ApiKeyRepository = ReturnType<typeof makeApiKeyRepository>;

async function findByHash(engine: PgPool, hash: Buffer): Promise<ApiKeyRow | null> {
  const { rows } = await engine.query<ApiKeyRow>(
    `SELECT ${columns} FROM api_keys WHERE key_hash = $1 AND revoked_at IS NULL`,
    [hash],
  );
  return rows[0] ?? null;
}
