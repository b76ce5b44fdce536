import { inTransaction, type PgPool } from '@sidestage/runtime';
import type { OfferedTurn, TurnRef, TurnRow } from './turn-rows.js';

/** What a worker needs to answer a turn, read with the claim in one statement. */
export interface ClaimedTurn extends TurnRow {
  creator_name: string;
  creator_persona: string;
  creator_language: string;
  /** What the creator knew when the turn was claimed. */
  knowledge_version: number;
  /** Deadline passed before the claim: settle as failed, ask no model. */
  expired: boolean;
  /** Milliseconds until `not_before`; 0 when it may run now. */
  wait_ms: number;
}

/** A past exchange of the conversation, for the model's history window. */
export interface PastExchange {
  message: string;
  reply_text: string;
  /** What the fan was watching. */
  video_url: string | null;
}

/** The worker's side of a turn's life. Every write names its epoch. */
export function makeTurnRunRepository(pool: PgPool) {
  return {
    /**
     * Claims an offered turn, or one whose worker died (counted as a crash). Null when it has ended, is not the head, or was deleted.
     * A turn that must still wait (`not_before`) is returned unclaimed with `wait_ms` > 0. `alone` says that nothing runs beside it.
     */
    async claim({ tenant_id, turn_id }: TurnRef, alone = false): Promise<ClaimedTurn | null> {
      const { rows } = await pool.query<ClaimedTurn>(
        `WITH claimed AS (
           UPDATE turns SET state = 'running', epoch = epoch + 1, crashes = crashes + (state = 'running')::int,
                  started_at = COALESCE(started_at, now()), heartbeat_at = now(), not_before = NULL, alone = $3
           WHERE tenant_id = $1 AND id = $2 AND state IN ('offered', 'running') AND (not_before IS NULL OR not_before <= now())
             AND EXISTS (SELECT FROM conversations c WHERE c.tenant_id = turns.tenant_id AND c.id = turns.conversation_id AND c.head_turn_id = turns.id)
           RETURNING *, 0 AS wait_ms
         ), held AS (
           SELECT *, ceil(extract(epoch FROM not_before - now()) * 1000)::int AS wait_ms FROM turns
           WHERE tenant_id = $1 AND id = $2 AND state = 'offered' AND not_before > now()
         )
         SELECT t.*, t.deadline_at <= now() AS expired, c.name AS creator_name, c.persona AS creator_persona, c.language AS creator_language,
                c.knowledge_version
         FROM (SELECT * FROM claimed UNION ALL SELECT * FROM held) t
         JOIN creators c ON c.tenant_id = t.tenant_id AND c.id = t.creator_id`,
        [tenant_id, turn_id, alone],
      );
      return rows[0] ?? null;
    },

    /** Sign of life of running turns; returns the ids that are still this worker's. The others must be aborted. */
    async heartbeat(running: { tenant_id: string; turn_id: string; epoch: number }[]): Promise<Set<string>> {
      const { rows } = await pool.query<{ id: string }>(
        `UPDATE turns t SET heartbeat_at = now()
         FROM jsonb_to_recordset($1::jsonb) AS r(tenant_id uuid, turn_id uuid, epoch integer)
         WHERE t.tenant_id = r.tenant_id AND t.id = r.turn_id AND t.epoch = r.epoch AND t.state = 'running' RETURNING t.id`,
        [JSON.stringify(running)],
      );
      return new Set(rows.map((row) => row.id));
    },

    /**
     * Gives a running turn back: a drain or a 429 (`failed` false, no counter moves) or a model error (`failed` true).
     * False when the turn is not this epoch's any more.
     */
    async park(turn: TurnRef & { epoch: number; failed: boolean; delayMs: number }): Promise<boolean> {
      const { rowCount } = await pool.query(
        `UPDATE turns SET state = 'offered', offered_at = now(), failures = failures + $4::int,
                not_before = CASE WHEN $5::double precision > 0 THEN now() + $5 * interval '1 millisecond' END
         WHERE tenant_id = $1 AND id = $2 AND epoch = $3 AND state = 'running'`,
        [turn.tenant_id, turn.turn_id, turn.epoch, turn.failed ? 1 : 0, turn.delayMs],
      );
      return rowCount === 1;
    },

    /** The last `limit` answered exchanges before `ordinal`, oldest first. */
    async history(
      turn: { tenant_id: string; conversation_id: string; ordinal: number },
      limit: number,
    ): Promise<PastExchange[]> {
      const { rows } = await pool.query<PastExchange>(
        `SELECT message, reply_text, video_url FROM turns
         WHERE tenant_id = $1 AND conversation_id = $2 AND ordinal < $3 AND outcome = 'completed'
         ORDER BY ordinal DESC LIMIT $4`,
        [turn.tenant_id, turn.conversation_id, turn.ordinal, limit],
      );
      return rows.reverse();
    },

    /** Says that the terminal event of these turns is in the replay buffer. */
    async markAnnounced(turns: TurnRef[]): Promise<void> {
      await pool.query(
        `UPDATE turns t SET announced = true FROM jsonb_to_recordset($1::jsonb) AS r(tenant_id uuid, turn_id uuid)
         WHERE t.tenant_id = r.tenant_id AND t.id = r.turn_id AND t.state = 'done'`,
        [JSON.stringify(turns)],
      );
    },
  };
}
export type TurnRunRepository = ReturnType<typeof makeTurnRunRepository>;

/** Any number no other program locks: "swep" in ASCII. */
const sweepLockKey = 0x73776570;

/** What the sweeper finds. Each query is bounded and its rows are safe to handle twice. */
export function makeTurnSweepRepository(pool: PgPool) {
  return {
    /** Offered turns not seen in the queue for `olderThanMs`; marks them as looked at. The caller puts back those whose job is gone. */
    async offersToCheck(olderThanMs: number, limit: number): Promise<OfferedTurn[]> {
      const { rows } = await pool.query<OfferedTurn>(
        `UPDATE turns t SET offered_at = now() FROM (
           SELECT tenant_id, id FROM turns
           WHERE state = 'offered' AND offered_at < now() - $1 * interval '1 millisecond' AND (not_before IS NULL OR not_before <= now())
           ORDER BY offered_at LIMIT $2 FOR UPDATE SKIP LOCKED) s
         WHERE t.tenant_id = s.tenant_id AND t.id = s.id
         RETURNING t.tenant_id, t.id AS turn_id, t.request_id, t.traceparent`,
        [olderThanMs, limit],
      );
      return rows;
    },

    /** Running turns whose worker gave no sign of life for `olderThanMs`. */
    async silentRuns(olderThanMs: number, limit: number): Promise<(OfferedTurn & { epoch: number })[]> {
      const { rows } = await pool.query<OfferedTurn & { epoch: number }>(
        `SELECT tenant_id, id AS turn_id, request_id, traceparent, epoch FROM turns
         WHERE state = 'running' AND heartbeat_at < now() - $1 * interval '1 millisecond' ORDER BY heartbeat_at LIMIT $2`,
        [olderThanMs, limit],
      );
      return rows;
    },

    /** Takes a silent run from its dead worker: fenced, counted as a crash, offered again. False when it moved meanwhile. */
    async reclaim(run: TurnRef & { epoch: number }): Promise<boolean> {
      const { rowCount } = await pool.query(
        `UPDATE turns SET state = 'offered', offered_at = now(), epoch = epoch + 1, crashes = crashes + 1
         WHERE tenant_id = $1 AND id = $2 AND epoch = $3 AND state = 'running'`,
        [run.tenant_id, run.turn_id, run.epoch],
      );
      return rowCount === 1;
    },

    /** Open turns past their deadline that nobody runs. */
    async expired(limit: number): Promise<TurnRow[]> {
      const { rows } = await pool.query<TurnRow>(
        `SELECT * FROM turns WHERE state IN ('waiting', 'offered') AND deadline_at <= now() ORDER BY deadline_at LIMIT $1`,
        [limit],
      );
      return rows;
    },

    /** Ended turns whose terminal event never reached the replay buffer. */
    async unannounced(olderThanMs: number, limit: number): Promise<TurnRow[]> {
      const { rows } = await pool.query<TurnRow>(
        `SELECT * FROM turns WHERE state = 'done' AND NOT announced AND ended_at < now() - $1 * interval '1 millisecond'
         ORDER BY ended_at LIMIT $2`,
        [olderThanMs, limit],
      );
      return rows;
    },

    /** Conversations with waiting turns and no open head: makes the first of them the head. */
    async releaseStuckHeads(limit: number): Promise<OfferedTurn[]> {
      const { rows } = await pool.query<OfferedTurn>(
        `WITH candidates AS (
           SELECT DISTINCT w.tenant_id, w.conversation_id FROM turns w
           WHERE w.state = 'waiting'
             AND NOT EXISTS (SELECT FROM turns o WHERE o.conversation_id = w.conversation_id AND o.state IN ('offered', 'running'))
           LIMIT $1
         ), stuck AS (
           SELECT c.tenant_id, c.id FROM conversations c JOIN candidates k ON k.tenant_id = c.tenant_id AND k.conversation_id = c.id
           WHERE NOT EXISTS (SELECT FROM turns o WHERE o.conversation_id = c.id AND o.id = c.head_turn_id AND o.state <> 'done')
           FOR UPDATE OF c SKIP LOCKED
         ), next AS (
           SELECT DISTINCT ON (w.conversation_id) w.tenant_id, w.id, w.conversation_id FROM turns w JOIN stuck s ON s.id = w.conversation_id
           WHERE w.state = 'waiting' ORDER BY w.conversation_id, w.ordinal
         ), heads AS (
           UPDATE conversations c SET head_turn_id = next.id FROM next WHERE c.tenant_id = next.tenant_id AND c.id = next.conversation_id
         )
         UPDATE turns t SET state = 'offered', offered_at = now() FROM next WHERE t.tenant_id = next.tenant_id AND t.id = next.id
         RETURNING t.tenant_id, t.id AS turn_id, t.request_id, t.traceparent`,
        [limit],
      );
      return rows;
    },

    /** Open turns, to rebuild in-flight leases and the waiting line after Redis lost them. */
    async openTurns(
      limit: number,
    ): Promise<Pick<TurnRow, 'id' | 'tenant_id' | 'principal' | 'state' | 'accepted_at' | 'deadline_at'>[]> {
      const { rows } = await pool.query(
        `SELECT id, tenant_id, principal, state, accepted_at, deadline_at FROM turns WHERE state <> 'done' ORDER BY accepted_at LIMIT $1`,
        [limit],
      );
      return rows;
    },

    /** Runs `work` unless another process is at it; tells whether it ran. The lock ends with the connection of whoever dies. */
    async asLeader(work: () => Promise<void>): Promise<boolean> {
      return inTransaction(pool, async (client) => {
        const { rows } = await client.query<{ leads: boolean }>('SELECT pg_try_advisory_xact_lock($1) AS leads', [
          sweepLockKey,
        ]);
        if (rows[0]?.leads !== true) return false;
        await work();
        return true;
      });
    },

    /** Idempotency keys are kept for 24 h. */
    async forgetIdempotencyKeys(): Promise<void> {
      await pool.query(
        `UPDATE turns SET idempotency_key = NULL WHERE idempotency_key IS NOT NULL AND state = 'done' AND accepted_at < now() - interval '24 hours'`,
      );
    },
  };
}
export type TurnSweepRepository = ReturnType<typeof makeTurnSweepRepository>;
