import type { Database } from './database.js';
import type { TurnRow } from './turn-rows.js';

/** A conversation as the chat routes need it. */
export interface ConversationHead {
  id: string;
  creator_id: string;
  principal: string;
  end_user_id: string | null;
  created_at: Date;
}

/** Whose turn an idempotency key names. */
export interface IdempotencyScope {
  tenant_id: string;
  principal: string;
  /** '' when there is none */
  end_user_id: string;
  idempotency_key: string;
}

/** Turns as request handlers read them: under the tenant's wall. Callers check the principal. */
export function makeTurnReadRepository(database: Pick<Database, 'asTenant'>) {
  return {
    async find(tenantId: string, turnId: string): Promise<TurnRow | null> {
      const { rows } = await database.asTenant(tenantId, (client) =>
        client.query<TurnRow>('SELECT * FROM turns WHERE tenant_id = $1 AND id = $2', [tenantId, turnId]),
      );
      return rows[0] ?? null;
    },

    async findByIdempotencyKey(scope: IdempotencyScope): Promise<TurnRow | null> {
      const { rows } = await database.asTenant(scope.tenant_id, (client) =>
        client.query<TurnRow>(
          `SELECT * FROM turns WHERE tenant_id = $1 AND principal = $2 AND end_user_id = $3 AND idempotency_key = $4`,
          [scope.tenant_id, scope.principal, scope.end_user_id, scope.idempotency_key],
        ),
      );
      return rows[0] ?? null;
    },

    async conversation(tenantId: string, conversationId: string): Promise<ConversationHead | null> {
      const { rows } = await database.asTenant(tenantId, (client) =>
        client.query<ConversationHead>(
          `SELECT id, creator_id, principal, end_user_id, created_at FROM conversations WHERE tenant_id = $1 AND id = $2`,
          [tenantId, conversationId],
        ),
      );
      return rows[0] ?? null;
    },

    async conversations(tenantId: string, conversationIds: string[]): Promise<ConversationHead[]> {
      const { rows } = await database.asTenant(tenantId, (client) =>
        client.query<ConversationHead>(
          `SELECT id, creator_id, principal, end_user_id, created_at FROM conversations WHERE tenant_id = $1 AND id = ANY($2::uuid[])`,
          [tenantId, conversationIds],
        ),
      );
      return rows;
    },

    /** The conversation of this principal (and end user, '' for none) with this creator that was last spoken in. */
    async latestConversation(scope: {
      tenant_id: string;
      principal: string;
      end_user_id: string;
      creator_id: string;
    }): Promise<string | null> {
      const { rows } = await database.asTenant(scope.tenant_id, (client) =>
        client.query<{ id: string }>(
          `SELECT id FROM conversations
           WHERE tenant_id = $1 AND principal = $2 AND COALESCE(end_user_id, '') = $3 AND creator_id = $4
           ORDER BY last_message_at DESC, id DESC LIMIT 1`,
          [scope.tenant_id, scope.principal, scope.end_user_id, scope.creator_id],
        ),
      );
      return rows[0]?.id ?? null;
    },

    /** Makes a conversation no message was sent in yet. */
    async openConversation(conversation: {
      id: string;
      tenant_id: string;
      principal: string;
      end_user_id: string;
      creator_id: string;
      title: string;
    }): Promise<void> {
      await database.asTenant(conversation.tenant_id, (client) =>
        client.query(
          `INSERT INTO conversations (id, tenant_id, creator_id, principal, end_user_id, title) VALUES ($1, $2, $3, $4, NULLIF($5, ''), $6)`,
          [
            conversation.id,
            conversation.tenant_id,
            conversation.creator_id,
            conversation.principal,
            conversation.end_user_id,
            conversation.title,
          ],
        ),
      );
    },

    /** Turns of these conversations that have not ended, and with `since` those accepted from then on, oldest first. */
    async openTurns(tenantId: string, conversationIds: string[], since: Date | null): Promise<TurnRow[]> {
      const { rows } = await database.asTenant(tenantId, (client) =>
        client.query<TurnRow>(
          `SELECT * FROM turns WHERE tenant_id = $1 AND conversation_id = ANY($2::uuid[]) AND (state <> 'done' OR accepted_at >= $3::timestamptz)
           ORDER BY conversation_id, ordinal`,
          [tenantId, conversationIds, since],
        ),
      );
      return rows;
    },

    /** A fan's word on a completed reply; the last one holds. False when the turn is not completed. */
    async giveFeedback(
      tenantId: string,
      turnId: string,
      feedback: { rating: 'up' | 'down'; comment: string | null },
    ): Promise<boolean> {
      const { rowCount } = await database.asTenant(tenantId, (client) =>
        client.query(
          `UPDATE turns SET feedback = $3, feedback_comment = $4 WHERE tenant_id = $1 AND id = $2 AND outcome = 'completed'`,
          [tenantId, turnId, feedback.rating, feedback.comment],
        ),
      );
      return rowCount === 1;
    },
  };
}
export type TurnReadRepository = ReturnType<typeof makeTurnReadRepository>;
