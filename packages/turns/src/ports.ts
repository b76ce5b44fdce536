import type { LimitState, ReplyEvent, ReplyEventBody, Tier, TierPolicy } from '@sidestage/contracts';
import type { OfferedTurn, TurnRef } from '@sidestage/store';

/**
 * The port in front of BullMQ. Only the head of a conversation is ever offered; a job's id is the turn's id, so offering twice is harmless.
 */
export interface Dispatcher {
  /** False when Redis did not take it in time: the sweeper offers it again. Never rejects for an unreachable Redis. */
  offer(turn: OfferedTurn): Promise<boolean>;
  /** Where the jobs of these turns are. `running` has a live lock. */
  jobStates(turnIds: string[]): Promise<Map<string, 'missing' | 'queued' | 'running'>>;
  /** Counts of the queue; rejects when Redis is down. */
  depth(): Promise<{
    waiting: number;
    /** Of the waiting, those that may not run yet. */
    delayed: number;
    running: number;
    oldest_seconds: number | null;
  }>;
  close(): Promise<void>;
}

export type AppendResult =
  | { accepted: true /** seq of the last event appended */; seq: number }
  /** A newer epoch speaks for this generation, or it has ended. */
  | { accepted: false };

export interface AppendOptions {
  /** Names this append: trying again with the same name after a lost answer writes nothing twice. Only the last name of a generation is kept. */
  operation?: string;
  /** What was said before these events, asked for when Redis has lost the buffer: said again after `reset {recovered: false}`. */
  soFar?: () => ReplyEventBody[];
}

/** Writes reply events: numbered by one Redis script that refuses an old epoch, kept in the stream and published in the same step. */
export interface ReplyWriter {
  /**
   * Appends in order. `epoch` 0 is the gateway's (`queued`, before the turn is offered: it begins the buffer); a claim's epoch is above
   * it. A terminal event seals the generation. Rejects when Redis is not reachable.
   */
  append(generationId: string, epoch: number, events: ReplyEventBody[], options?: AppendOptions): Promise<AppendResult>;
}

/** What Postgres knows of a generation whose buffer is gone. */
export interface StoredOutcome {
  /** The terminal event, null while the turn is open. */
  terminal: ReplyEventBody | null;
  /** The stored reply's text and citations as events, before the terminal one. */
  content: ReplyEventBody[];
}

export interface FollowOptions {
  generationId: string;
  /** The last seq the client has; 0 for all. */
  afterSeq: number;
  /** Called with events in order, each once, seq rising. After a terminal event nothing follows. */
  deliver(events: ReplyEvent[]): void;
  /** Reads the turn from Postgres: asked when the buffer is gone, or cannot be read, and from time to time while nothing comes. */
  stored(): Promise<StoredOutcome | null>;
}

export interface Following {
  close(): void;
}

/**
 * Follows generations on one subscriber connection: live by pub/sub, what was missed from the stream (by seq), and where the buffer is gone
 * `reset {recovered: false}` with a higher seq and the stored reply from Postgres. Survives Redis restarts.
 */
export interface ReplyReader {
  follow(options: FollowOptions): Following;
  close(): Promise<void>;
}

/** The line of accepted turns that no worker has begun: a fan's position, and the rate at which it shrinks. */
export interface WaitingLine {
  /** 1-based position and estimated wait; null when the turn is not waiting or Redis cannot be asked. */
  place(turnId: string): Promise<{ position: number; eta_ms: number | null } | null>;
  places(turnIds: string[]): Promise<Map<string, { position: number; eta_ms: number | null }>>;
  /** A worker has begun it (or it ended without being begun). */
  leave(turnIds: string[]): Promise<void>;
}

export interface AdmissionRequest {
  turn_id: string;
  tenant_id: string;
  principal: string;
  tier: Tier;
  /** (principal, end user, key) in one string, null without a key. */
  idempotency_scope: string | null;
  limits: TierPolicy;
  tenant_limit: { per_minute: number; burst: number };
  /** End of the in-flight lease, ms since the epoch. */
  lease_until: number;
}

export type AdmissionResult =
  | { kind: 'admitted'; limits: LimitState[]; position: number | null; eta_ms: number | null }
  | {
      kind: 'refused';
      /** `backlog`: the turn would not begin before its deadline, at the rate the line drains. */
      policy: 'hour' | 'minute' | 'in_flight' | 'tenant' | 'backlog';
      retry_after_ms: number;
      limits: LimitState[];
    }
  /** The key was used: the turn it made. */
  | { kind: 'repeated'; turn_id: string };

/** Admission: one Redis round trip, atomically; with Redis down a per-process limiter with the tier's share decides. */
export interface Admission {
  admit(request: AdmissionRequest): Promise<AdmissionResult>;
  /** The turn could not be accepted in Postgres: everything `admit` took is given back. */
  withdraw(request: AdmissionRequest): Promise<void>;
  /** What is left, without taking anything. */
  peek(request: Pick<AdmissionRequest, 'tenant_id' | 'principal' | 'limits'>): Promise<LimitState[]>;
}

/**
 * How much of what a turn was charged goes back: `all`, `none`, or `bounded`: all, until its hour (or
 * minute) has been given back in this way as much as the tier grants in it.
 */
export type Refund = 'all' | 'bounded' | 'none';

/** The other end of admission, where turns end. Never rejects: leases end by themselves. */
export interface AdmissionLedger {
  /** Ends leases and gives quota back. Doing it again gives nothing back twice. */
  ended(turns: (TurnRef & { principal: string; refund: Refund })[]): Promise<void>;
  /** Fills leases and the waiting line from Postgres's open turns (after a wipe). */
  rebuild(
    open: { id: string; tenant_id: string; principal: string; state: string; accepted_at: Date; deadline_at: Date }[],
  ): Promise<void>;
}
