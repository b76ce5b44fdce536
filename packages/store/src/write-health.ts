import type { PgPool } from '@sidestage/runtime';

/** What Postgres says when it is there and takes nothing: disk full, read-only. */
const reasons = new Map([
  ['53100', 'postgres has no room on its disk'],
  ['25006', 'postgres is read-only'],
]);
/** A refused write speaks for so long: whether it would be taken now, only another write can tell. Milliseconds. */
const refusalMs = 5_000;

/** Whether Postgres takes writes: what readiness hangs on. A server whose disk is full still answers every SELECT. */
export interface WriteHealth {
  /** A write failed; errors that say nothing of this are ignored. */
  note(error: unknown): void;
  /** True, or why nothing can be made durable now. */
  check(): Promise<true | string>;
}

export function makeWriteHealth(engine: PgPool): WriteHealth {
  let refused: { reason: string; at: number } | null = null;
  return {
    note(error) {
      const reason = error instanceof Error && 'code' in error && reasons.get(String(error.code));
      if (reason) refused = { reason, at: performance.now() };
    },
    async check() {
      if (refused && performance.now() - refused.at < refusalMs) return refused.reason;
      try {
        const { rows } = await engine.query<{ read_only: boolean }>(
          `SELECT pg_is_in_recovery() OR current_setting('default_transaction_read_only')::boolean AS read_only`,
        );
        return rows[0]?.read_only ? 'postgres is read-only' : true;
      } catch (error) {
        return `postgres: ${error instanceof Error ? error.message : String(error)}`;
      }
    },
  };
}
