import { type PolicyPatch, policyPatchSchema } from '@sidestage/contracts';
import { makeId, type PgPool } from '@sidestage/runtime';

export interface TenantRow {
  id: string;
  name: string;
  created_at: Date;
}

/** Tenants and their policies. Runs on the engine pool: tenants are made and changed by operators and the launcher only. */
export function makeTenantRepository(engine: PgPool) {
  return {
    async create(tenant: { id?: string; name: string }): Promise<TenantRow> {
      const { rows } = await engine.query<TenantRow>(
        'INSERT INTO tenants (id, name) VALUES ($1, $2) RETURNING id, name, created_at',
        [tenant.id ?? makeId(), tenant.name],
      );
      return rows[0]!;
    },

    async find(id: string): Promise<TenantRow | null> {
      const { rows } = await engine.query<TenantRow>('SELECT id, name, created_at FROM tenants WHERE id = $1', [id]);
      return rows[0] ?? null;
    },

    /** The default tenant: the one made first. Null on an empty database. */
    async first(): Promise<TenantRow | null> {
      const { rows } = await engine.query<TenantRow>(
        'SELECT id, name, created_at FROM tenants ORDER BY created_at, id LIMIT 1',
      );
      return rows[0] ?? null;
    },

    /** What differs from the default policy; null for an unknown tenant. */
    async policyPatch(id: string): Promise<PolicyPatch | null> {
      const { rows } = await engine.query<{ policy: unknown }>('SELECT policy FROM tenants WHERE id = $1', [id]);
      return rows[0] ? policyPatchSchema.parse(rows[0].policy) : null;
    },

    /** Replaces what differs from the default policy, and the origins its pages call from. False for an unknown tenant. */
    async setPolicyPatch(id: string, patch: PolicyPatch, corsOrigins: string[] = []): Promise<boolean> {
      const { rowCount } = await engine.query('UPDATE tenants SET policy = $2, cors_origins = $3 WHERE id = $1', [
        id,
        JSON.stringify(patch),
        corsOrigins,
      ]);
      return rowCount === 1;
    },

    /** Origins this tenant's pages call from; empty for an unknown tenant. */
    async corsOriginsOf(id: string): Promise<string[]> {
      const { rows } = await engine.query<{ cors_origins: string[] }>(
        'SELECT cors_origins FROM tenants WHERE id = $1',
        [id],
      );
      return rows[0]?.cors_origins ?? [];
    },

    /** Origins any tenant lets its pages call from. */
    async corsOrigins(): Promise<string[]> {
      const { rows } = await engine.query<{ origin: string }>(
        'SELECT DISTINCT unnest(cors_origins) AS origin FROM tenants',
      );
      return rows.map((row) => row.origin);
    },
  };
}
export type TenantRepository = ReturnType<typeof makeTenantRepository>;
