import type { Citation, Problem, Tier } from '@sidestage/contracts';

export type TurnState = 'waiting' | 'offered' | 'running' | 'done';
/** `dead`: quarantined after its attempts; clients see it as failed. */
export type TurnOutcome = 'completed' | 'failed' | 'cancelled' | 'dead';

/** What a turn ended with; all null while it runs. */
export interface StoredReply {
  reply_text: string | null;
  citations: Citation[] | null;
  grounded: boolean | null;
  finish_reason: 'stop' | 'length' | 'blocked' | null;
  model: string | null;
  input_tokens: number | null;
  output_tokens: number | null;
  problem: Problem | null;
}

/** A turn as Postgres has it. */
export interface TurnRow extends StoredReply {
  id: string;
  tenant_id: string;
  conversation_id: string;
  creator_id: string;
  generation_id: string;
  principal: string;
  end_user_id: string;
  tier: Tier;
  ordinal: number;
  state: TurnState;
  outcome: TurnOutcome | null;
  epoch: number;
  failures: number;
  crashes: number;
  message: string;
  video_url: string | null;
  idempotency_key: string | null;
  request_hash: Buffer | null;
  request_id: string | null;
  traceparent: string | null;
  accepted_at: Date;
  deadline_at: Date;
  not_before: Date | null;
  offered_at: Date | null;
  started_at: Date | null;
  first_text_at: Date | null;
  heartbeat_at: Date | null;
  ended_at: Date | null;
  announced: boolean;
  /** The run under way was begun with the worker to itself. */
  alone: boolean;
  /** When an operator took the dead turn off the list. */
  dropped_at: Date | null;
  feedback: 'up' | 'down' | null;
  feedback_comment: string | null;
}

/** Names a turn: every engine statement joins on both. */
export interface TurnRef {
  tenant_id: string;
  turn_id: string;
}

/** A turn that has just become the head of its conversation and must be put into the queue. */
export interface OfferedTurn extends TurnRef {
  request_id: string | null;
  traceparent: string | null;
}
