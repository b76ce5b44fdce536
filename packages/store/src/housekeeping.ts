import type { PgPool } from '@sidestage/runtime';

/** Rows one run deletes of a kind at most: the rest goes with the next. */
const batch = 1_000;

/** Removes what has outlived its time. Each call is safe to repeat and to run twice at once. */
export function makeHousekeeping(pool: PgPool) {
  return {
    /** Guests that were not seen in their 24 h go with their conversations; refresh tokens a day after their end; revocations and worker deaths likewise. */
    async removeExpired(): Promise<void> {
      await pool.query(
        `WITH gone AS (
           DELETE FROM users WHERE (tenant_id, id) IN (
             SELECT tenant_id, id FROM users WHERE expires_at < now() - interval '1 hour' LIMIT $1 FOR UPDATE SKIP LOCKED)
           RETURNING tenant_id, id
         )
         DELETE FROM conversations c USING gone WHERE c.tenant_id = gone.tenant_id AND c.principal = 'user:' || gone.id`,
        [batch],
      );
      await pool.query(
        `DELETE FROM refresh_tokens WHERE token_hash IN (
           SELECT token_hash FROM refresh_tokens WHERE expires_at < now() - interval '1 day' LIMIT $1 FOR UPDATE SKIP LOCKED)`,
        [batch],
      );
      await pool.query(`DELETE FROM revocations WHERE at < now() - interval '1 day'`);
      await pool.query(`DELETE FROM worker_deaths WHERE at < now() - interval '1 day'`);
    },
  };
}
export type Housekeeping = ReturnType<typeof makeHousekeeping>;
