import type { Tier } from '@sidestage/contracts';
import { GroupCommit, isRetryable, type PgPool, withRetry } from '@sidestage/runtime';
import type { TurnState } from './turn-rows.js';

/** What the gateway has decided about a message, ready to be made durable. */
export interface NewTurn {
  turn_id: string;
  generation_id: string;
  tenant_id: string;
  conversation_id: string;
  /** True when `conversation_id` was made just now. */
  new_conversation: boolean;
  /** Title of a new conversation. */
  title: string;
  creator_id: string;
  principal: string;
  /** '' when there is none */
  end_user_id: string;
  tier: Tier;
  message: string;
  video_url: string | null;
  idempotency_key: string | null;
  /** SHA-256 (hex) of what the idempotency key must always come with. */
  request_hash: string | null;
  request_id: string | null;
  traceparent: string | null;
  /** Milliseconds from acceptance. */
  deadline_ms: number;
}

export type AcceptResult =
  | { kind: 'accepted'; state: TurnState; ordinal: number; accepted_at: Date; deadline_at: Date }
  /** A turn with this idempotency key exists: look it up. */
  | { kind: 'duplicate' }
  /** No such conversation of this tenant and principal with this creator (any more). */
  | { kind: 'no_conversation' };

// The conversation's row is locked by its INSERT or UPDATE, and head_turn_id is read from the locked row: two messages sent at once get
// their order here, and exactly one of them is the head.
const acceptSql = `
WITH input AS (
  SELECT r.*, EXISTS (
    SELECT FROM turns t WHERE r.idempotency_key IS NOT NULL AND t.tenant_id = r.tenant_id AND t.principal = r.principal
      AND t.end_user_id = r.end_user_id AND t.idempotency_key = r.idempotency_key
  ) AS duplicate
  FROM jsonb_to_recordset($1::jsonb) AS r(
    turn_id uuid, generation_id uuid, tenant_id uuid, conversation_id uuid, new_conversation boolean, title text, creator_id uuid,
    principal text, end_user_id text, tier text, message text, video_url text, idempotency_key text, request_hash text,
    request_id text, traceparent text, deadline_ms double precision)
), fresh AS (
  INSERT INTO conversations (id, tenant_id, creator_id, principal, end_user_id, title, next_ordinal, head_turn_id)
  SELECT i.conversation_id, i.tenant_id, i.creator_id, i.principal, NULLIF(i.end_user_id, ''), i.title, 2, i.turn_id
  FROM input i WHERE i.new_conversation AND NOT i.duplicate
), bumped AS (
  UPDATE conversations c
  SET next_ordinal = c.next_ordinal + 1, head_turn_id = COALESCE(c.head_turn_id, i.turn_id), last_message_at = now()
  FROM input i
  WHERE NOT i.new_conversation AND NOT i.duplicate AND c.tenant_id = i.tenant_id AND c.id = i.conversation_id
    AND c.principal = i.principal AND c.creator_id = i.creator_id
  RETURNING c.id, c.next_ordinal - 1 AS ordinal, c.head_turn_id = i.turn_id AS head
), inserted AS (
  INSERT INTO turns (id, tenant_id, conversation_id, creator_id, generation_id, principal, end_user_id, tier, ordinal, state, offered_at,
                     message, video_url, idempotency_key, request_hash, request_id, traceparent, deadline_at)
  SELECT i.turn_id, i.tenant_id, i.conversation_id, i.creator_id, i.generation_id, i.principal, i.end_user_id, i.tier,
         COALESCE(b.ordinal, 1), CASE WHEN i.new_conversation OR b.head THEN 'offered' ELSE 'waiting' END,
         CASE WHEN i.new_conversation OR b.head THEN now() END,
         i.message, i.video_url, i.idempotency_key, decode(i.request_hash, 'hex'), i.request_id, i.traceparent,
         now() + i.deadline_ms * interval '1 millisecond'
  FROM input i LEFT JOIN bumped b ON b.id = i.conversation_id
  WHERE NOT i.duplicate AND (i.new_conversation OR b.id IS NOT NULL)
  RETURNING id, state, ordinal, accepted_at, deadline_at
)
SELECT i.turn_id, i.duplicate, t.state, t.ordinal, t.accepted_at, t.deadline_at
FROM input i LEFT JOIN inserted t ON t.id = i.turn_id`;

interface AcceptedRow {
  turn_id: string;
  duplicate: boolean;
  state: TurnState | null;
  ordinal: number;
  accepted_at: Date;
  deadline_at: Date;
}

async function acceptBatch(pool: PgPool, turns: NewTurn[]): Promise<AcceptResult[]> {
  const { rows } = await pool.query<AcceptedRow>(acceptSql, [JSON.stringify(turns)]);
  const byId = new Map(rows.map((row) => [row.turn_id, row]));
  return turns.map((turn) => {
    const row = byId.get(turn.turn_id);
    if (row?.duplicate) return { kind: 'duplicate' };
    if (!row?.state) return { kind: 'no_conversation' };
    const { state, ordinal, accepted_at, deadline_at } = row;
    return { kind: 'accepted', state, ordinal, accepted_at, deadline_at };
  });
}

function isUniqueViolation(error: unknown, constraint: string): boolean {
  return error instanceof Error && 'constraint' in error && error.constraint === constraint;
}

/** One turn by itself: what a batch does when one of its turns spoils it for the others. */
async function acceptAlone(pool: PgPool, turn: NewTurn): Promise<AcceptResult | Error> {
  try {
    const [result] = await acceptBatch(pool, [turn]);
    return result ?? new Error('no result for an accepted turn');
  } catch (error) {
    // Lost the race between looking for the key and inserting it.
    if (isUniqueViolation(error, 'turns_idempotency')) return { kind: 'duplicate' };
    // The answer to an earlier try was lost after its commit.
    if (isUniqueViolation(error, 'turns_pkey') || isUniqueViolation(error, 'conversations_pkey'))
      return acceptedBefore(pool, turn);
    return error instanceof Error ? error : new Error(String(error));
  }
}

async function acceptedBefore(pool: PgPool, turn: NewTurn): Promise<AcceptResult> {
  const { rows } = await pool.query<AcceptedRow>(
    'SELECT id AS turn_id, state, ordinal, accepted_at, deadline_at FROM turns WHERE tenant_id = $1 AND id = $2',
    [turn.tenant_id, turn.turn_id],
  );
  const row = rows[0];
  if (!row?.state) return { kind: 'no_conversation' };
  return {
    kind: 'accepted',
    state: row.state,
    ordinal: row.ordinal,
    accepted_at: row.accepted_at,
    deadline_at: row.deadline_at,
  };
}

/**
 * Makes turns durable, many in one commit. From the moment `accept` resolves with `accepted` nothing can lose the turn.
 * Rejects when Postgres cannot be reached: then it is not known to be accepted and the client must be told 503. `onError` hears why a
 * batch failed.
 */
export function makeTurnAcceptor(pool: PgPool, options: { onError?: (error: unknown) => void } = {}) {
  const group = new GroupCommit<NewTurn, AcceptResult>({
    maxWaitMs: 4,
    maxItems: 100,
    concurrency: 2,
    keyOf: (turn) => turn.conversation_id,
    commit: async (turns) => {
      try {
        return await withRetry(() => acceptBatch(pool, turns), { attempts: 3 });
      } catch (error) {
        options.onError?.(error);
        if (isRetryable(error)) throw error;
        return Promise.all(turns.map((turn) => acceptAlone(pool, turn)));
      }
    },
  });
  return { accept: (turn: NewTurn) => group.add(turn), drain: () => group.drain() };
}
export type TurnAcceptor = ReturnType<typeof makeTurnAcceptor>;
