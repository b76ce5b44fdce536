import {
  ProblemError,
  parseOrProblem,
  type ReplyEvent,
  type WsClientFrame,
  type WsServerFrame,
  wsClientFrame,
  wsCloseCodes,
} from '@sidestage/contracts';
import { type Logger, makeId, toProblemError } from '@sidestage/runtime';
import type { TurnReadRepository } from '@sidestage/store';
import { type Canceller, type LiveTurns, recoveredSeqBase } from '@sidestage/turns';
import type { RawData, WebSocket } from 'ws';
import { findOwnLiveTurn, findOwnTurn } from '../chat/message-routes.js';
import { followPaced, type PacedFollowing } from '../chat/paced-following.js';
import type { Relay } from '../chat/relay.js';
import type { Submission, Submitter } from '../chat/submit.js';
import { type Turn, toClientEvent, turnOf } from '../chat/turn.js';
import { parseJson } from '../http/json-body.js';
import { Budget } from './budget.js';
import type { AcceptedTurn, ConversationFeed } from './conversation-feed.js';
import type { Handshake } from './handshake.js';
import type { OpenTurns } from './open-turns.js';

/** What one connection may send, on average and at once. */
const messageBudget = { perSecond: 50, burst: 100 };
const byteBudget = { perSecond: 256 * 1024, burst: 512 * 1024 };
/** A reader this far behind is told no more of its turns: they are read from the replay buffer when it has caught up. */
const maxAheadBytes = 32 * 1024;
/** A reader this far behind, which nothing but answers to its own frames can bring about, is closed: it reconnects and resumes. */
export const maxBufferedBytes = 128 * 1024;
/** So is one that is behind and takes nothing for this long. Milliseconds. */
const stallMs = 10_000;
/**
 * How long a device that connects may take to say what it resumes, before it is shown the running turns from their beginning, ms: one that has not
 * said how many they are, and one that has, which is shown them as soon as it has said them all.
 */
const resumeGraceMs = { untold: 1_000, told: 15_000 };
/** Turns of other devices a socket remembers to have shown. */
const maxShown = 500;

export interface SocketSessionOptions {
  socket: WebSocket;
  handshake: Handshake;
  turns: TurnReadRepository;
  liveTurns: Pick<LiveTurns, 'find'>;
  openTurns: OpenTurns;
  submitter: Submitter;
  relay: Relay;
  canceller: Canceller;
  feed: ConversationFeed;
  logger: Logger;
}

type Frame<Type extends WsClientFrame['type']> = Extract<WsClientFrame, { type: Type }>;

/** One device of a conversation: what it sends, in order, and everything that happens in the conversation, to it. */
export class SocketSession {
  readonly id = makeId();
  /** When a ping was sent that is not answered yet; null otherwise. ms, monotonic. */
  pingedAt: number | null = null;
  heardAt = performance.now();
  readonly #connectedAt = Date.now();
  #conversation: Handshake['conversation'];
  #unsubscribe: (() => void) | null = null;
  #following = new Map<string, PacedFollowing>();
  /** Since when the reader takes nothing of what waits for it, ms (monotonic); null while it keeps up. */
  #waitsSince: number | null = null;
  /** Turns this socket was told of. */
  #shown = new Set<string>();
  /** Frames are handled one after the other: messages are accepted in the order they were sent. */
  #work: Promise<void> = Promise.resolve();
  #messages = new Budget(messageBudget.perSecond, messageBudget.burst);
  #bytes = new Budget(byteBudget.perSecond, byteBudget.burst);
  #grace: NodeJS.Timeout | undefined;
  /** Turns that the device will still say it resumes. */
  #resumesDue: number;
  /** Turns may have been missed since, while it was not known yet what this device resumes. */
  #gapSince: Date | null = null;

  constructor(private readonly options: SocketSessionOptions) {
    const { socket, handshake } = options;
    this.#conversation = handshake.conversation;
    this.#resumesDue = handshake.resumes ?? 0;
    socket.on('message', (data, isBinary) => this.#receive(data, isBinary));
    socket.on('close', () => this.#closed());
    this.#send({
      type: 'ready',
      session_id: handshake.sessionId,
      client_id: handshake.clientId,
      ...(this.#conversation && { conversation_id: this.#conversation.id }),
    });
    if (this.#conversation) {
      this.#subscribe(this.#conversation.id);
      const graceMs =
        handshake.resumes === null ? resumeGraceMs.untold : handshake.resumes > 0 ? resumeGraceMs.told : 0;
      // After a stall what has come in meanwhile is read first: it may say what is resumed.
      this.#grace = setTimeout(() => setImmediate(() => this.#endGrace()), graceMs);
    }
  }

  get principal() {
    return this.options.handshake.principal;
  }

  /** Closes a socket whose reader takes nothing. */
  checkReader(now: number): void {
    if (this.#waitsSince !== null && now - this.#waitsSince > stallMs) this.close(wsCloseCodes.slowReader);
  }

  close({ code, reason }: { code: number; reason: string }): void {
    this.options.socket.close(code, reason);
  }

  #endGrace(): void {
    this.#grace = undefined;
    this.showTurns(this.#gapSince);
  }

  /** Shows the turns under way, and with `since` those accepted from then on, that this socket has not been told of. */
  showTurns(since: Date | null): void {
    const { openTurns, logger } = this.options;
    if (!this.#conversation) return;
    if (this.#grace !== undefined) {
      this.#gapSince ??= since;
      return;
    }
    // What ended before this device connected is history to it.
    const from = since && new Date(Math.max(since.getTime(), this.#connectedAt));
    openTurns(this.principal.tenantId, this.#conversation.id, from).then(
      (rows) => {
        for (const row of rows) this.#show(turnOf(row), row.message);
      },
      (error: unknown) => logger.debug({ err: error }, 'turns not shown'),
    );
  }

  #receive(data: RawData, isBinary: boolean): void {
    this.heardAt = performance.now();
    const bytes = Buffer.isBuffer(data) ? data : Buffer.concat(data as Buffer[]);
    if (!this.#messages.take(1) || !this.#bytes.take(bytes.length)) this.close(wsCloseCodes.tooFast);
    else this.#take(bytes, isBinary);
  }

  #take(bytes: Buffer, isBinary: boolean): void {
    let input: unknown;
    try {
      if (isBinary) throw new ProblemError('bad_request', { detail: 'Send frames as text.' });
      input = parseJson(bytes);
      const frame = parseOrProblem(wsClientFrame, input);
      // Known before its turn comes: however long the frames before it take, it is not shown from its beginning meanwhile.
      if (frame.type === 'resume') this.#resumes(frame);
      this.#enqueue(() => this.#run(frame), input);
    } catch (error) {
      this.#enqueue(() => Promise.reject(error), input);
    }
  }

  #resumes({ message_id: messageId }: Frame<'resume'>): void {
    this.#remember(messageId);
    if (this.#resumesDue === 0) return;
    this.#resumesDue -= 1;
    if (this.#resumesDue > 0 || this.#grace === undefined) return;
    clearTimeout(this.#grace);
    this.#endGrace();
  }

  #enqueue(work: () => Promise<void>, input: unknown): void {
    this.#work = this.#work.then(async () => {
      if (this.options.socket.readyState !== this.options.socket.OPEN) return;
      await work().catch((error: unknown) => this.#sendError(error, keyOf(input)));
    });
  }

  #sendError(error: unknown, idempotencyKey: string | null): void {
    const problem = toProblemError(error);
    const requestId = makeId();
    if (problem.status >= 500)
      this.options.logger.error({ err: problem.options.cause ?? problem, request_id: requestId }, 'frame failed');
    this.#send({
      type: 'error',
      problem: problem.toProblem(requestId),
      ...(idempotencyKey !== null && { idempotency_key: idempotencyKey }),
    });
  }

  async #run(frame: WsClientFrame): Promise<void> {
    if (frame.type === 'ping') this.#send({ type: 'pong' });
    else if (frame.type === 'message') await this.#message(frame);
    else if (frame.type === 'resume') await this.#resume(frame);
    else await this.#cancel(frame);
  }

  async #message(frame: Frame<'message'>): Promise<void> {
    const creatorId = frame.creator_id ?? this.#conversation?.creatorId;
    if (creatorId === undefined)
      throw new ProblemError('validation_failed', {
        detail: 'creator_id: the first message of a new session names the creator.',
        errors: [{ path: 'creator_id', message: 'is needed on the first message of a new session' }],
      });
    const submission = await this.options.submitter.submit(this.principal, {
      message: frame.message,
      creatorId,
      conversationId: this.#conversation?.id ?? null,
      userId: null,
      videoUrl: frame.video_url ?? null,
      idempotencyKey: frame.idempotency_key ?? null,
      requestId: makeId(),
      traceparent: this.options.handshake.traceparent,
      socketId: this.id,
    });
    const { turn } = submission;
    if (!this.#conversation) {
      this.#conversation = { id: turn.conversationId, creatorId: turn.creatorId };
      this.#subscribe(turn.conversationId);
    }
    this.#remember(turn.id);
    this.#send({
      type: 'accepted',
      message_id: turn.id,
      conversation_id: turn.conversationId,
      creator_id: turn.creatorId,
      message: frame.message,
      ...(frame.idempotency_key !== undefined && { idempotency_key: frame.idempotency_key }),
      rate_limit: submission.limits,
    });
    void this.#begin(submission);
  }

  async #begin({ turn, announced, repeated }: Submission): Promise<void> {
    if (!(await announced)) {
      const queued: ReplyEvent = { type: 'queued', position: null, eta_ms: null, seq: 0 };
      this.#send(toClientEvent(turn, queued));
    }
    if (!this.#following.has(turn.id)) this.#follow(turn, 0, repeated === null);
  }

  async #resume(frame: Frame<'resume'>): Promise<void> {
    const { turns, liveTurns } = this.options;
    const live = await findOwnLiveTurn(liveTurns, this.principal, frame.message_id);
    const turn = live ?? turnOf(await findOwnTurn(turns, this.principal, frame.message_id));
    this.#follow(turn, frame.last_seq, false);
  }

  async #cancel(frame: Frame<'cancel'>): Promise<void> {
    const { turns, canceller } = this.options;
    const row = await canceller.cancel(await findOwnTurn(turns, this.principal, frame.message_id));
    // One that follows the turn is told by its last event.
    if (this.#following.has(row.id)) return;
    this.#send(toClientEvent(turnOf(row), { type: 'cancelled', seq: recoveredSeqBase + 2 }));
  }

  #subscribe(conversationId: string): void {
    this.#unsubscribe = this.options.feed.subscribe(this.principal.tenantId, conversationId, (accepted, socketId) => {
      if (socketId !== this.id) this.#show(fromFeed(accepted), accepted.message);
    });
  }

  /** A turn of another device, or of another door: its words, then its events. */
  #show(turn: Turn, message: string): void {
    if (this.#shown.has(turn.id) || this.options.socket.readyState !== this.options.socket.OPEN) return;
    this.#remember(turn.id);
    this.#send({
      type: 'accepted',
      message_id: turn.id,
      conversation_id: turn.conversationId,
      creator_id: turn.creatorId,
      message,
    });
    this.#follow(turn, 0, false);
  }

  #remember(turnId: string): void {
    this.#shown.add(turnId);
    const oldest = this.#shown.size > maxShown ? this.#shown.values().next().value : undefined;
    if (oldest !== undefined) this.#shown.delete(oldest);
  }

  #follow(turn: Turn, afterSeq: number, measured: boolean): void {
    const { socket, relay } = this.options;
    if (socket.readyState !== socket.OPEN) return;
    this.#following.get(turn.id)?.close();
    const following = followPaced(relay, turn, {
      afterSeq,
      measured,
      write: (event) => this.#send(toClientEvent(turn, event)),
      onEnd: () => {
        if (this.#following.get(turn.id) === following) this.#following.delete(turn.id);
      },
    });
    this.#following.set(turn.id, following);
  }

  /** False where the reader is behind. */
  #send(frame: WsServerFrame): boolean {
    const { socket } = this.options;
    if (socket.readyState !== socket.OPEN) return false;
    if (socket.bufferedAmount > maxBufferedBytes) {
      this.close(wsCloseCodes.slowReader);
      return false;
    }
    socket.send(JSON.stringify(frame), this.#sent);
    if (socket.bufferedAmount < maxAheadBytes) return true;
    this.#waitsSince ??= performance.now();
    return false;
  }

  /** Something that waited has been taken. */
  #sent = (): void => {
    if (this.#waitsSince === null) return;
    this.#waitsSince = performance.now();
    if (this.options.socket.bufferedAmount >= maxAheadBytes / 2) return;
    this.#waitsSince = null;
    for (const following of this.#following.values()) following.drained();
  };

  #closed(): void {
    clearTimeout(this.#grace);
    this.#unsubscribe?.();
    for (const following of this.#following.values()) following.close();
    this.#following.clear();
  }
}

function fromFeed(accepted: AcceptedTurn): Turn {
  return {
    id: accepted.message_id,
    generationId: accepted.generation_id,
    tenantId: accepted.tenant_id,
    conversationId: accepted.conversation_id,
    creatorId: accepted.creator_id,
    principal: accepted.principal,
    tier: accepted.tier,
    acceptedAt: accepted.accepted_at,
  };
}

/** The idempotency key of a frame that may be bad otherwise: its error names it. */
function keyOf(input: unknown): string | null {
  if (typeof input !== 'object' || input === null || !('idempotency_key' in input)) return null;
  const { idempotency_key: key } = input;
  return typeof key === 'string' && key.length <= 255 ? key : null;
}
