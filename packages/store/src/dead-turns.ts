import { inTransaction, type PgClient, type PgPool } from '@sidestage/runtime';
import { recordAudit } from './audit.js';
import { readTimeCursor, toPage } from './pages.js';
import type { OfferedTurn, TurnRow } from './turn-rows.js';

export interface RetryOrder {
  turn_id: string;
  /** The new stream of events: the old one has ended. */
  generation_id: string;
  /** Milliseconds from now. */
  deadline_ms: number;
  /** Who retries, for the audit. */
  actor: string;
}

export type RetryResult =
  | {
      kind: 'retried';
      /** As it is now. */
      turn: TurnRow;
      /** As it was. */
      before: TurnRow;
      /** The turn that has just become the head of the conversation, mostly this one; null when another is open. */
      released: OfferedTurn | null;
    }
  /** It is open, or ended otherwise: retried by somebody else, mostly. */
  | { kind: 'not_dead'; turn: TurnRow }
  | { kind: 'not_found' };

const isDead = (turn: TurnRow) => turn.outcome === 'dead' && turn.dropped_at === null;

// Everything is as after acceptance but the place in the conversation. The epoch only grows: it fences whoever still believes to run the turn.
const reviveSql = `
UPDATE turns SET state = 'waiting', outcome = NULL, problem = NULL, generation_id = $3, epoch = epoch + 1, failures = 0, crashes = 0,
       deadline_at = now() + $4 * interval '1 millisecond', not_before = NULL, offered_at = NULL, started_at = NULL, first_text_at = NULL,
       heartbeat_at = NULL, ended_at = NULL, announced = false
WHERE tenant_id = $1 AND id = $2`;

// Under the conversation's lock: where nothing is open its first waiting turn becomes the head, as after a settlement.
const releaseSql = `
WITH next AS (
  SELECT w.tenant_id, w.id, w.conversation_id FROM turns w JOIN conversations c ON c.tenant_id = w.tenant_id AND c.id = w.conversation_id
  WHERE c.tenant_id = $1 AND c.id = $2 AND w.state = 'waiting'
    AND NOT EXISTS (SELECT FROM turns o WHERE o.tenant_id = c.tenant_id AND o.id = c.head_turn_id AND o.state <> 'done')
  ORDER BY w.ordinal LIMIT 1
), head AS (
  UPDATE conversations c SET head_turn_id = next.id FROM next WHERE c.tenant_id = next.tenant_id AND c.id = next.conversation_id
)
UPDATE turns t SET state = 'offered', offered_at = now() FROM next WHERE t.tenant_id = next.tenant_id AND t.id = next.id
RETURNING t.tenant_id, t.id AS turn_id, t.request_id, t.traceparent`;

/** Turns that were set aside, for operators: they reach every tenant. What is done to one is in the audit. */
export function makeDeadTurnRepository(engine: PgPool) {
  async function find(turnId: string): Promise<TurnRow | null> {
    const { rows } = await engine.query<TurnRow>('SELECT * FROM turns WHERE id = $1', [turnId]);
    return rows[0] ?? null;
  }

  /** The turn with its conversation locked, as settlements do it: order between the turns of a conversation is decided by one at a time. */
  async function lock(client: PgClient, { tenant_id, conversation_id, id }: TurnRow): Promise<TurnRow | null> {
    await client.query('SELECT FROM conversations WHERE tenant_id = $1 AND id = $2 FOR UPDATE', [
      tenant_id,
      conversation_id,
    ]);
    const { rows } = await client.query<TurnRow>('SELECT * FROM turns WHERE tenant_id = $1 AND id = $2 FOR UPDATE', [
      tenant_id,
      id,
    ]);
    return rows[0] ?? null;
  }

  return {
    /** Newest end first. `tenant_id` narrows to one tenant. Throws `validation_failed` for a cursor that is not of this list. */
    async list(query: {
      limit: number;
      cursor?: string;
      tenant_id?: string;
    }): Promise<{ rows: TurnRow[]; next_cursor: string | null }> {
      const before = readTimeCursor(query.cursor);
      const { rows } = await engine.query<TurnRow & { cursor_at: string }>(
        `SELECT *, ended_at::text AS cursor_at FROM turns
         WHERE outcome = 'dead' AND dropped_at IS NULL AND ($1::uuid IS NULL OR tenant_id = $1)
           AND ($2::timestamptz IS NULL OR (ended_at, id) < ($2::timestamptz, $3::uuid))
         ORDER BY ended_at DESC, id DESC LIMIT $4`,
        [query.tenant_id ?? null, before?.at ?? null, before?.id ?? null, query.limit + 1],
      );
      return toPage(rows, query.limit);
    },

    async count(): Promise<number> {
      const { rows } = await engine.query<{ count: number }>(
        `SELECT count(*)::int AS count FROM turns WHERE outcome = 'dead' AND dropped_at IS NULL`,
      );
      return rows[0]?.count ?? 0;
    },

    /** The dead turn, with the fan's words: reading them is audited. Null when there is none of this id. */
    async read(turnId: string, actor: string): Promise<TurnRow | null> {
      const turn = await find(turnId);
      if (!turn || !isDead(turn)) return null;
      await recordAudit(engine, {
        tenant_id: turn.tenant_id,
        actor,
        action: 'dead_turn.read',
        subject: `turn:${turn.id}`,
      });
      return turn;
    },

    /**
     * Opens a dead turn again, in its place of the conversation: counters at zero, a new generation, a new deadline. Of two who try one is told
     * `not_dead`.
     */
    async retry(order: RetryOrder): Promise<RetryResult> {
      const known = await find(order.turn_id);
      if (!known) return { kind: 'not_found' };
      return inTransaction(engine, async (client): Promise<RetryResult> => {
        const before = await lock(client, known);
        if (!before || before.dropped_at !== null) return { kind: 'not_found' };
        if (!isDead(before)) return { kind: 'not_dead', turn: before };
        const { tenant_id, conversation_id, id } = before;
        await client.query(reviveSql, [tenant_id, id, order.generation_id, order.deadline_ms]);
        const released = (await client.query<OfferedTurn>(releaseSql, [tenant_id, conversation_id])).rows[0] ?? null;
        const { rows } = await client.query<TurnRow>('SELECT * FROM turns WHERE tenant_id = $1 AND id = $2', [
          tenant_id,
          id,
        ]);
        await recordAudit(client, {
          tenant_id,
          actor: order.actor,
          action: 'dead_turn.retried',
          subject: `turn:${id}`,
          detail: { crashes: before.crashes, failures: before.failures, generation_id: order.generation_id },
        });
        return { kind: 'retried', turn: rows[0]!, before, released };
      });
    },

    /** Takes it off the list; the fan's history keeps it as failed. */
    async drop(turnId: string, actor: string): Promise<'dropped' | 'not_dead' | 'not_found'> {
      const known = await find(turnId);
      if (!known || known.dropped_at !== null) return 'not_found';
      return inTransaction(engine, async (client) => {
        const { rowCount } = await client.query(
          `UPDATE turns SET dropped_at = now() WHERE tenant_id = $1 AND id = $2 AND outcome = 'dead' AND dropped_at IS NULL`,
          [known.tenant_id, turnId],
        );
        if (rowCount !== 1) return 'not_dead';
        await recordAudit(client, {
          tenant_id: known.tenant_id,
          actor,
          action: 'dead_turn.dropped',
          subject: `turn:${turnId}`,
          detail: { crashes: known.crashes, failures: known.failures },
        });
        return 'dropped';
      });
    },
  };
}
export type DeadTurnRepository = ReturnType<typeof makeDeadTurnRepository>;
