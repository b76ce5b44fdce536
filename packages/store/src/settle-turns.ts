import { GroupCommit, inTransaction, isRetryable, type PgPool, withRetry } from '@sidestage/runtime';
import type { OfferedTurn, StoredReply, TurnOutcome, TurnRow } from './turn-rows.js';

/** How a turn ended. */
export interface Settlement extends StoredReply {
  tenant_id: string;
  turn_id: string;
  conversation_id: string;
  /** The claim that speaks; null closes whatever the epoch is (cancel, expiry) and fences the one that runs. */
  epoch: number | null;
  outcome: TurnOutcome;
  /** Milliseconds from acceptance to the first text. */
  first_text_ms: number | null;
}

export interface SettleResult {
  /** False: another epoch has the turn, or it has ended. Nothing was written. */
  written: boolean;
  /** The turn as it was written, null when nothing was. */
  turn: TurnRow | null;
  /** The next turn of the conversation, now its head: offer it to the queue. */
  released: OfferedTurn | null;
}

// Order: the conversation rows are locked first, in one order, in a statement of their own: the second statement's snapshot then sees every
// turn accepted before the lock, and none can slip in between choosing the next head and writing it.
const lockSql = `SELECT c.id FROM conversations c
  WHERE (c.tenant_id, c.id) IN (SELECT r.tenant_id, r.conversation_id FROM jsonb_to_recordset($1::jsonb) AS r(tenant_id uuid, conversation_id uuid))
  ORDER BY c.id FOR UPDATE`;

const settleSql = `
WITH input AS (
  SELECT * FROM jsonb_to_recordset($1::jsonb) AS r(
    tenant_id uuid, turn_id uuid, epoch integer, outcome text, reply_text text, citations jsonb, grounded boolean, finish_reason text,
    model text, input_tokens integer, output_tokens integer, first_text_ms double precision, problem jsonb)
), closed AS (
  UPDATE turns t
  SET state = 'done', outcome = i.outcome, ended_at = now(), epoch = t.epoch + (i.epoch IS NULL)::int,
      reply_text = i.reply_text, citations = i.citations, grounded = i.grounded, finish_reason = i.finish_reason, model = i.model,
      input_tokens = i.input_tokens, output_tokens = i.output_tokens, problem = i.problem,
      first_text_at = t.accepted_at + i.first_text_ms * interval '1 millisecond'
  FROM input i
  WHERE t.tenant_id = i.tenant_id AND t.id = i.turn_id AND t.state <> 'done'
    AND (i.epoch IS NULL OR (t.epoch = i.epoch AND t.state = 'running'))
  RETURNING t.*
), freed AS (
  SELECT c.id, c.tenant_id FROM conversations c JOIN closed ON closed.tenant_id = c.tenant_id AND c.head_turn_id = closed.id
), next AS (
  SELECT DISTINCT ON (w.conversation_id) w.id, w.tenant_id, w.conversation_id
  FROM turns w JOIN freed ON freed.tenant_id = w.tenant_id AND freed.id = w.conversation_id
  WHERE w.state IN ('waiting', 'offered') AND w.id NOT IN (SELECT id FROM closed)
  ORDER BY w.conversation_id, w.ordinal
), offered AS (
  UPDATE turns t SET state = 'offered', offered_at = now() FROM next
  WHERE t.tenant_id = next.tenant_id AND t.id = next.id
  RETURNING t.id, t.conversation_id, t.request_id, t.traceparent
), heads AS (
  UPDATE conversations c SET head_turn_id = next.id, last_message_at = now()
  FROM freed LEFT JOIN next ON next.conversation_id = freed.id
  WHERE c.tenant_id = freed.tenant_id AND c.id = freed.id
)
SELECT closed.*, o.id AS next_id, o.request_id AS next_request_id, o.traceparent AS next_traceparent
FROM closed LEFT JOIN freed ON freed.id = closed.conversation_id LEFT JOIN offered o ON o.conversation_id = freed.id`;

interface SettledRow extends TurnRow {
  next_id: string | null;
  next_request_id: string | null;
  next_traceparent: string | null;
}

async function settleBatch(pool: PgPool, settlements: Settlement[]): Promise<SettleResult[]> {
  const input = JSON.stringify(settlements);
  const rows = await inTransaction(pool, async (client) => {
    await client.query(lockSql, [input]);
    return (await client.query<SettledRow>(settleSql, [input])).rows;
  });
  const byId = new Map(rows.map((row) => [row.id, row]));
  return settlements.map((settlement) => {
    const row = byId.get(settlement.turn_id);
    if (!row) return { written: false, turn: null, released: null };
    const { next_id, next_request_id: request_id, next_traceparent: traceparent, ...turn } = row;
    const released = next_id ? { tenant_id: settlement.tenant_id, turn_id: next_id, request_id, traceparent } : null;
    return { written: true, turn, released };
  });
}

/** One settlement by itself: what a batch does when one of its turns spoils it for the others. */
async function settleAlone(pool: PgPool, settlement: Settlement): Promise<SettleResult | Error> {
  try {
    const [result] = await withRetry(() => settleBatch(pool, [settlement]), { attempts: 2 });
    return result ?? new Error('no result for a settled turn');
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/**
 * Ends turns, many in one commit, each exactly once: the write is fenced by epoch and state. Releases the next turn of the conversation.
 * A retry after a lost connection may find its own write done: then `written` is false, and the sweeper announces what is stored.
 */
export function makeTurnSettler(
  pool: PgPool,
  options: { maxWaitMs?: number; onError?: (error: unknown) => void } = {},
) {
  const group = new GroupCommit<Settlement, SettleResult>({
    maxWaitMs: options.maxWaitMs ?? 4,
    maxItems: 100,
    concurrency: 2,
    keyOf: (settlement) => settlement.conversation_id,
    commit: async (settlements) => {
      try {
        return await withRetry(() => settleBatch(pool, settlements), { attempts: 4 });
      } catch (error) {
        options.onError?.(error);
        if (isRetryable(error) || settlements.length === 1) throw error;
        return Promise.all(settlements.map((settlement) => settleAlone(pool, settlement)));
      }
    },
  });
  return { settle: (settlement: Settlement) => group.add(settlement), drain: () => group.drain() };
}
export type TurnSettler = ReturnType<typeof makeTurnSettler>;
