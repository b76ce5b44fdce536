import type { Citation, HistoryMessage, Problem, TurnStatus } from '@sidestage/contracts';
import type { PgClient } from '@sidestage/runtime';
import { recordAudit } from './audit.js';
import type { Database } from './database.js';
import { encodeCursor, readLineCursor, readTimeCursor, toPage } from './pages.js';
import type { TurnOutcome, TurnState } from './turn-rows.js';

export interface ConversationRow {
  id: string;
  tenant_id: string;
  creator_id: string;
  /** `user:<id>` or `key:<id>` */
  principal: string;
  end_user_id: string | null;
  title: string;
  created_at: Date;
  last_message_at: Date;
}

/** A conversation with what deciding about access needs. */
export interface OwnedConversationRow extends ConversationRow {
  creator_owner_id: string | null;
}

/** As a creator's owner sees it. */
export interface RatedConversationRow extends ConversationRow {
  /** Replies rated up and down. */
  feedback_up: number;
  feedback_down: number;
}

interface HistoryRow {
  id: string;
  ordinal: number;
  state: TurnState;
  outcome: TurnOutcome | null;
  message: string;
  reply_text: string | null;
  citations: Citation[] | null;
  grounded: boolean | null;
  finish_reason: HistoryMessage['finish_reason'] | null;
  problem: Problem | null;
  feedback: 'up' | 'down' | null;
  feedback_comment: string | null;
  accepted_at: Date;
  ended_at: Date | null;
}

export interface HistoryQuery {
  limit: number;
  cursor?: string;
  /** `newest` begins with the last lines and pages back; lines within a page are oldest first either way. */
  order: 'oldest' | 'newest';
  /** What a fan wrote beside a thumb: for the creator's owner. */
  withComments: boolean;
}

const columns = 'c.id, c.tenant_id, c.creator_id, c.principal, c.end_user_id, c.title, c.created_at, c.last_message_at';

/** Conversations and what was said in them. */
export function makeConversationRepository(database: Pick<Database, 'asTenant'>) {
  return {
    find(tenantId: string, id: string): Promise<OwnedConversationRow | null> {
      return database.asTenant(tenantId, async (client) => {
        const { rows } = await client.query<OwnedConversationRow>(
          `SELECT ${columns}, r.owner_id AS creator_owner_id
           FROM conversations c JOIN creators r ON r.tenant_id = c.tenant_id AND r.id = c.creator_id WHERE c.id = $1`,
          [id],
        );
        return rows[0] ?? null;
      });
    },

    /** Of one principal (and of one of its end users), the last used first. */
    list(
      tenantId: string,
      of: { principal: string; endUserId?: string },
      query: { limit: number; cursor?: string },
    ): Promise<{ rows: ConversationRow[]; next_cursor: string | null }> {
      const before = readTimeCursor(query.cursor);
      return database.asTenant(tenantId, async (client) => {
        const { rows } = await client.query<ConversationRow & { cursor_at: string }>(
          `SELECT ${columns}, c.last_message_at::text AS cursor_at FROM conversations c
           WHERE c.principal = $1 AND ($2::text IS NULL OR c.end_user_id = $2)
             AND ($3::timestamptz IS NULL OR (c.last_message_at, c.id) < ($3::timestamptz, $4::uuid))
           ORDER BY c.last_message_at DESC, c.id DESC LIMIT $5`,
          [of.principal, of.endUserId ?? null, before?.at ?? null, before?.id ?? null, query.limit + 1],
        );
        return toPage(rows, query.limit);
      });
    },

    /** With one creator, the last used first, and how its replies were rated. */
    listOfCreator(
      tenantId: string,
      creatorId: string,
      query: { limit: number; cursor?: string },
    ): Promise<{ rows: RatedConversationRow[]; next_cursor: string | null }> {
      const before = readTimeCursor(query.cursor);
      return database.asTenant(tenantId, async (client) => {
        const { rows } = await client.query<RatedConversationRow & { cursor_at: string }>(
          `SELECT ${columns}, c.last_message_at::text AS cursor_at, rated.up AS feedback_up, rated.down AS feedback_down
           FROM conversations c CROSS JOIN LATERAL (
             SELECT count(*) FILTER (WHERE t.feedback = 'up')::int AS up, count(*) FILTER (WHERE t.feedback = 'down')::int AS down
             FROM turns t WHERE t.tenant_id = c.tenant_id AND t.conversation_id = c.id) rated
           WHERE c.creator_id = $1 AND ($2::timestamptz IS NULL OR (c.last_message_at, c.id) < ($2::timestamptz, $3::uuid))
           ORDER BY c.last_message_at DESC, c.id DESC LIMIT $4`,
          [creatorId, before?.at ?? null, before?.id ?? null, query.limit + 1],
        );
        return toPage(rows, query.limit);
      });
    },

    /** The lines of a conversation: the fan's and the reply of each turn. */
    messages(
      tenantId: string,
      conversationId: string,
      query: HistoryQuery,
    ): Promise<{ items: HistoryMessage[]; next_cursor: string | null }> {
      const cursor = readLineCursor(query.cursor);
      return database.asTenant(tenantId, (client) => readHistory(client, conversationId, query, cursor));
    },

    /** Removes it with its turns. False when there was none. */
    remove(tenantId: string, id: string, actor: string): Promise<boolean> {
      return database.asTenant(tenantId, async (client) => {
        const { rowCount } = await client.query('DELETE FROM conversations WHERE id = $1', [id]);
        if (rowCount !== 1) return false;
        await recordAudit(client, {
          tenant_id: tenantId,
          actor,
          action: 'conversation.deleted',
          subject: `conversation:${id}`,
        });
        return true;
      });
    },
  };
}
export type ConversationRepository = ReturnType<typeof makeConversationRepository>;

async function readHistory(
  client: PgClient,
  conversationId: string,
  query: HistoryQuery,
  cursor: { ordinal: number; line: number } | null,
): Promise<{ items: HistoryMessage[]; next_cursor: string | null }> {
  const backwards = query.order === 'newest';
  const { rows } = await client.query<HistoryRow>(
    `SELECT id, ordinal, state, outcome, message, reply_text, citations, grounded, finish_reason, problem, feedback, feedback_comment,
            accepted_at, ended_at
     FROM turns WHERE conversation_id = $1 AND ($2::int IS NULL OR ordinal ${backwards ? '<=' : '>='} $2)
     ORDER BY ordinal ${backwards ? 'DESC' : ''} LIMIT $3`,
    // The cursor's own turn may have nothing left, and one line more than the page tells whether another follows.
    [conversationId, cursor?.ordinal ?? null, query.limit + 2],
  );
  const placed = rows.flatMap((row) => {
    const lines = linesOf(row, query.withComments).map((message, line) => ({ ordinal: row.ordinal, line, message }));
    return backwards ? lines.reverse() : lines;
  });
  const isPast = (ordinal: number, line: number) =>
    cursor !== null && ordinal === cursor.ordinal && (backwards ? line >= cursor.line : line <= cursor.line);
  const left = placed.filter(({ ordinal, line }) => !isPast(ordinal, line));
  const kept = left.slice(0, query.limit);
  const last = kept.at(-1);
  const items = kept.map(({ message }) => message);
  return {
    items: backwards ? items.reverse() : items,
    next_cursor: left.length > query.limit && last ? encodeCursor([last.ordinal, last.line]) : null,
  };
}

/** How a turn stands for clients: `waiting` and `offered` are both queued, `dead` is failed. */
export function turnStatus(state: TurnState, outcome: TurnOutcome | null): TurnStatus {
  if (state === 'running') return 'running';
  if (state !== 'done' || outcome === null) return 'queued';
  return outcome === 'dead' ? 'failed' : outcome;
}

/** A turn's lines: the fan's, and the creator's once it has ended with a reply or a problem. */
function linesOf(row: HistoryRow, withComments: boolean): HistoryMessage[] {
  const status = turnStatus(row.state, row.outcome);
  const fan: HistoryMessage = {
    id: `${row.id}:fan`,
    message_id: row.id,
    role: 'fan',
    text: row.message,
    created_at: row.accepted_at.toISOString(),
    status,
    ...(row.problem && row.reply_text === null && { error: row.problem }),
  };
  if (row.reply_text === null) return [fan];
  const reply: HistoryMessage = {
    id: `${row.id}:creator`,
    message_id: row.id,
    role: 'creator',
    text: row.reply_text,
    citations: row.citations ?? [],
    grounded: row.grounded ?? false,
    finish_reason: row.finish_reason ?? 'stop',
    feedback: row.feedback,
    ...(withComments && row.feedback_comment && { feedback_comment: row.feedback_comment }),
    created_at: (row.ended_at ?? row.accepted_at).toISOString(),
    status,
  };
  return [fan, reply];
}
