import type { ClientEvent, ReplyEvent, Tier, TurnView } from '@sidestage/contracts';
import { type TurnRow, turnStatus } from '@sidestage/store';
import { completedOf, storedOutcome } from '@sidestage/turns';

/** An accepted turn, as far as relaying it needs. */
export interface Turn {
  id: string;
  generationId: string;
  tenantId: string;
  conversationId: string;
  creatorId: string;
  principal: string;
  tier: Tier;
  /** ms since the epoch */
  acceptedAt: number;
}

export function turnOf(row: TurnRow): Turn {
  return {
    id: row.id,
    generationId: row.generation_id,
    tenantId: row.tenant_id,
    conversationId: row.conversation_id,
    creatorId: row.creator_id,
    principal: row.principal,
    tier: row.tier,
    acceptedAt: row.accepted_at.getTime(),
  };
}

export const messageLocation = (turnId: string) => `/api/v1/messages/${turnId}`;

/** An event of a generation as the clients of one of its turns get it. */
export function toClientEvent(turn: Turn, event: ReplyEvent): ClientEvent {
  return { ...event, message_id: turn.id, conversation_id: turn.conversationId };
}

/** `GET /api/v1/messages/{id}`; `place` of a turn that waits. */
export function viewOf(row: TurnRow, place: { position: number; eta_ms: number | null } | null): TurnView {
  if (row.outcome === 'completed') return completedOf(row);
  const status = turnStatus(row.state, row.outcome);
  const { terminal } = storedOutcome(row);
  return {
    message_id: row.id,
    conversation_id: row.conversation_id,
    creator_id: row.creator_id,
    status,
    ...(status === 'queued' && { position: place?.position ?? null, eta_ms: place?.eta_ms ?? null }),
    ...(terminal?.type === 'failed' && { error: terminal.problem }),
  };
}
