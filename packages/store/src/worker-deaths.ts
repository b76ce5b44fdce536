import type { PgPool } from '@sidestage/runtime';

/** How far before a turn's acceptance the fleet is looked at. Milliseconds. */
const lookBackMs = 60_000;

/** The deaths of workers, and what they say of a turn. */
export function makeWorkerDeathRepository(pool: PgPool) {
  return {
    /** A worker was found dead with the jobs of these turns. Noting it again changes nothing. */
    async note(workerId: string, turnIds: string[]): Promise<void> {
      await pool.query(
        `INSERT INTO worker_deaths (worker_id, lone_turn_id)
         VALUES ($1, (SELECT id FROM turns WHERE id = ANY($2::uuid[]) AND state = 'running' AND alone LIMIT 1))
         ON CONFLICT DO NOTHING`,
        [workerId, turnIds],
      );
    },

    /**
     * Deaths this turn had no part in, from a minute before its acceptance on: what the fleet suffers anyway. A death while another suspect ran
     * alone is put down to that one and not counted.
     */
    async beside(turn: { id: string; accepted_at: Date; crashes: number }): Promise<number> {
      const { rows } = await pool.query<{ deaths: number }>(
        `SELECT count(*)::int AS deaths FROM worker_deaths
         WHERE at >= $2::timestamptz - $3 * interval '1 millisecond' AND (lone_turn_id IS NULL OR lone_turn_id = $1)`,
        [turn.id, turn.accepted_at, lookBackMs],
      );
      return Math.max(0, (rows[0]?.deaths ?? 0) - turn.crashes);
    },
  };
}
export type WorkerDeathRepository = ReturnType<typeof makeWorkerDeathRepository>;
