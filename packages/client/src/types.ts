import type { ClientEvent, Completed, LimitState } from '@sidestage/contracts';
import type { SocketConstructor } from './platform/socket-constructor.js';
import type { Backoff } from './wire/backoff.js';
import type { CredentialSource } from './wire/credentials.js';

/** `ws`: a WebSocket; `sse`: a stream of server-sent events a turn; `post`: plain requests, the reply asked for until it is there. */
export type TransportKind = 'ws' | 'sse' | 'post';

/** How the line to the gateway stands. `reconnecting`: it was lost or does not come, and is tried again by itself. */
export type Link = 'idle' | 'connecting' | 'open' | 'reconnecting' | 'closed';

/**
 * `held`: kept here, no gateway has taken it; `sending`: on its way for the first time; `accepted`: the server has it and cannot lose it;
 * `ended`: see `reply`.
 */
export type TurnPhase = 'held' | 'sending' | 'accepted' | 'ended';

export interface SidestageOptions {
  /** Gateways of one fleet, `http(s)://host[:port]`, tried in turn after a failure. */
  url: string | readonly string[];
  credential: CredentialSource;
  /** In order of preference; what is not named is never used. Default `['ws', 'sse', 'post']`. */
  transports?: readonly TransportKind[];
  /** Names this device on its sockets, 1 to 200 characters. Default: random. */
  clientId?: string;
  /** Default: the platform's. */
  fetch?: typeof fetch;
  /** Default: the platform's, on Node 20 that of `ws`. */
  WebSocket?: SocketConstructor;
  /** 0 (inclusive) to 1 (exclusive); spreads the waits between tries. Default `Math.random`. */
  random?: () => number;
  /** Waits between tries. Default 300 ms doubling to 10 s, with full jitter. */
  backoff?: Partial<Backoff>;
  /**
   * How long a message that no gateway takes, or a reply of which nothing is heard, is tried for before it is given up with the last problem, ms.
   * Default 120,000: longer than any restart the fleet promises to survive, shorter than the 180 s a turn lives. `Infinity` never gives up.
   */
  giveUpMs?: number;
  /** What a gateway says is left of this credential's limits. */
  onRateLimit?: (limits: LimitState[]) => void;
}

export interface ConversationOptions {
  /** Id or slug. */
  creatorId: string;
  /** Goes on with this one; `latest` with the last one with this creator (not over a socket). Default: a new one begins. */
  conversationId?: string;
  /** An integrator's own end user (not over a socket). */
  userId?: string;
}

export interface SendOptions {
  /** The video that is being watched. */
  videoUrl?: string;
  /** 1 to 255 visible ASCII characters. Default: random. A message sent again after a crash with the same key is answered once. */
  idempotencyKey?: string;
}

/** The client of one fleet and one credential. */
export interface Sidestage {
  conversation(options: ConversationOptions): Conversation;
  /** One message in a new conversation, which is closed with its reply. */
  chat(creatorId: string, message: string, options?: SendOptions & Omit<ConversationOptions, 'creatorId'>): Turn;
  /** Closes every conversation. What runs at the server runs on. */
  close(): Promise<void>;
}

export interface Conversation {
  /** null until the first message is accepted. */
  readonly id: string | null;
  readonly link: Link;
  /** What the next message would go by. */
  readonly transport: TransportKind;
  /** Opens the line now, and cuts a wait for it short. Sending does so by itself; without it nothing is heard of other devices before. */
  connect(): void;
  /** Sends when it can be sent, after everything sent before it. Never throws: `reply` says what became of it. */
  send(message: string, options?: SendOptions): Turn;
  /** Follows a turn that another run of the program or the history knows, from `lastSeq` (default 0) on. */
  follow(messageId: string, known?: { lastSeq?: number; text?: string }): Turn;
  /** @returns ends it */
  onLink(listener: (link: Link, transport: TransportKind) => void): () => void;
  /** Turns that other devices of this conversation began. Heard over a socket only. @returns ends it */
  onTurn(listener: (turn: Turn) => void): () => void;
  /** Ends the line. Replies that still run reject with `closed`; they run on at the server. */
  close(): Promise<void>;
}

/**
 * One message and its reply. Iterating gives every event once and in order, from the first on whenever it begins, until the reply has ended;
 * it throws where the message was refused or the reply could not be followed.
 */
export interface Turn extends AsyncIterable<ClientEvent> {
  readonly idempotencyKey: string;
  /** What was asked; empty where it is not known (`follow`). */
  readonly message: string;
  /** null until it is accepted. */
  readonly messageId: string | null;
  readonly conversationId: string | null;
  readonly phase: TurnPhase;
  /** The number of the last event taken; 0 before the first. */
  readonly lastSeq: number;
  /** The reply as it is to be shown now: a `reset` has emptied it. */
  readonly text: string;
  /** Resolves when the server has it for good; rejects where it never will. */
  readonly accepted: Promise<{ messageId: string; conversationId: string }>;
  /** Rejects with SidestageError when the turn failed, was cancelled, refused, given up or closed. Needs no handler. */
  readonly reply: Promise<Completed>;
  /** @returns ends it */
  onEvent(listener: (event: ClientEvent) => void): () => void;
  /** @returns ends it */
  onPhase(listener: (phase: TurnPhase) => void): () => void;
  /** Stops it: here if it was never sent, else at the server as soon as that can be reached. Resolves when it is over. */
  cancel(): Promise<void>;
}
