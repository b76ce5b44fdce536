import type { PgClient, PgPool } from '@sidestage/runtime';

/** `user:<id>` (the account is gone), `session:<family id>` (one login) or `key:<id>`. */
export type RevokedSubject = `user:${string}` | `session:${string}` | `key:${string}`;

/** Written in the transaction that revokes, so that gateways learn of it from Postgres even while Redis is down. */
export async function recordRevocation(
  client: PgClient | PgPool,
  tenantId: string,
  subject: RevokedSubject,
): Promise<void> {
  await client.query('INSERT INTO revocations (tenant_id, subject) VALUES ($1, $2)', [tenantId, subject]);
}

/** Reads what was revoked; entries outlive every token they concern. */
export function makeRevocationRepository(engine: PgPool) {
  return {
    /** Subjects revoked during the last `seconds`. */
    async since(seconds: number): Promise<RevokedSubject[]> {
      const { rows } = await engine.query<{ subject: RevokedSubject }>(
        `SELECT DISTINCT subject FROM revocations WHERE at > now() - $1 * interval '1 second'`,
        [seconds],
      );
      return rows.map((row) => row.subject);
    },

    async forgetOlderThan(seconds: number): Promise<void> {
      await engine.query(`DELETE FROM revocations WHERE at < now() - $1 * interval '1 second'`, [seconds]);
    },
  };
}
export type RevocationRepository = ReturnType<typeof makeRevocationRepository>;
