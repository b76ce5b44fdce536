import type { ClientEvent, Completed, Problem } from '@sidestage/contracts';

/** How a fan's program heard of a reply. */
export type Road = 'sse' | 'ws' | 'post';

/** One message a fan sent, and all that came of it on the fan's side. */
export interface SentTurn {
  /** Its idempotency key. */
  key: string;
  /** A word no other message has: the reply repeats it. */
  marker: string;
  /** The fan's own name of the conversation, and the place of this message in it, from 0, in the order of sending. */
  conversation: string;
  place: number;
  road: Road;
  /** ms since the epoch */
  sentAt: number;
  /** When the fleet first said that it has it; null while it has not. */
  acceptedAt: number | null;
  messageId: string | null;
  endedAt: number | null;
  /** Null while the fan's program still waits. */
  end: { kind: 'completed'; reply: Completed; shown: string } | { kind: 'problem'; problem: Problem } | null;
}

/** What one connection carried of one turn's reply, as it was on the wire. */
export interface Hearing {
  /** The gateway's. */
  address: string;
  /** The last seq the fan's program said it had, 0 for none. */
  afterSeq: number;
  /** When the connection carried it first, or was asked to, ms since the epoch. */
  begunAt: number;
  /** When its first event came, ms since the epoch; null while none has. */
  heardAt: number | null;
  events: ClientEvent[];
}

/** A turn as Postgres has it when all is over. */
export interface StoredTurn {
  id: string;
  conversation_id: string;
  idempotency_key: string | null;
  ordinal: number;
  state: string;
  outcome: string | null;
  reply_text: string | null;
  problem: Problem | null;
  accepted_at: Date;
  started_at: Date | null;
  ended_at: Date | null;
  crashes: number;
}

/**
 * What became of a turn. The first four are the promises broken: `lost` accepted and not answered, or answered and not told; `duplicated` said
 * or stored twice; `reordered` not in the order sent; `gap` what was told has a hole, or is not what is stored. `late` was answered after the
 * limit. `failed` and `cancelled` were told so; `refused` was never accepted.
 */
export const verdictKinds = [
  'answered',
  'lost',
  'duplicated',
  'reordered',
  'gap',
  'late',
  'failed',
  'cancelled',
  'refused',
] as const;
export type VerdictKind = (typeof verdictKinds)[number];

export interface Verdict {
  kind: VerdictKind;
  /** What is wrong, or the code a failed turn was told. */
  why?: string;
}
