import type { Problem } from '@sidestage/contracts';
import type { LiveTurn } from '../turn.js';
import { Deferred } from '../wire/deferred.js';
import { SidestageError } from '../wire/problem.js';
import type { ReplySocket } from '../wire/reply-socket.js';
import type { Attempt, Road } from './road.js';

/** A resume whose answer leaves the same hole after this long was of no use, ms. */
const mendWithinMs = 1_000;

export interface SocketRoadParts {
  socket: ReplySocket;
  /** Goes with the first message of a new conversation. */
  creatorId: string;
}

interface Errand {
  /** Resolves when the socket is lost; rejects with what the server said against it. */
  lost: Deferred<void>;
  /** The last seq that a resume was sent for, and when. */
  mended: { seq: number; at: number } | null;
}

/** The conversation's one socket: messages and resumes go out, and what comes back is told apart by message id. */
export class SocketRoad implements Road {
  #errands = new Map<LiveTurn, Errand>();
  /** Turns that this very socket brings events of. */
  #attached = new Set<LiveTurn>();
  #change = new Deferred<void>();

  constructor(private readonly parts: SocketRoadParts) {}

  async carry(turn: LiveTurn): Promise<Attempt> {
    const { socket } = this.parts;
    if (socket.state === 'idle') socket.connect();
    if (socket.state !== 'open') {
      await Promise.race([this.#change.promise, turn.over]);
      return { fruitful: false, waitMs: 0 };
    }
    const errand: Errand = { lost: new Deferred(), mended: null };
    this.#errands.set(turn, errand);
    try {
      this.#handOver(turn);
      await Promise.race([errand.lost.promise, turn.over]);
      return { fruitful: true, waitMs: 0 };
    } finally {
      this.#errands.delete(turn);
    }
  }

  /** The socket's state has changed, or another road is better now: whoever waits looks again. */
  onChange(): void {
    const { resolve } = this.#change;
    this.#change = new Deferred();
    resolve();
    if (this.parts.socket.state === 'open') return;
    this.#attached.clear();
    for (const { lost } of this.#errands.values()) lost.resolve();
  }

  /** The server brings events of it over this socket by itself. */
  attach(turn: LiveTurn): void {
    if (this.#attached.has(turn) || turn.isOver) return;
    this.#attached.add(turn);
    void turn.over.then(() => this.#attached.delete(turn));
  }

  isAttached(turn: LiveTurn): boolean {
    return this.#attached.has(turn);
  }

  /** False where the socket cannot carry it now. */
  cancel(turn: LiveTurn): boolean {
    if (turn.messageId === null || !this.#errands.has(turn)) return false;
    const { idempotencyKey } = turn;
    return this.parts.socket.send({ type: 'cancel', message_id: turn.messageId, idempotency_key: idempotencyKey });
  }

  /** An event is missing: asked for once; a socket that still does not bring it is let go. */
  mend(turn: LiveTurn): void {
    const errand = this.#errands.get(turn);
    if (!errand) return;
    const { mended } = errand;
    if (mended?.seq === turn.lastSeq) {
      if (performance.now() - mended.at > mendWithinMs) this.parts.socket.drop();
      return;
    }
    errand.mended = { seq: turn.lastSeq, at: performance.now() };
    this.#resume(turn);
  }

  /** What the server has against the message or resume with this key. */
  onError(problem: Problem, idempotencyKey: string | undefined): void {
    for (const [turn, { lost }] of this.#errands) {
      if (turn.idempotencyKey !== idempotencyKey) continue;
      this.#attached.delete(turn);
      lost.reject(new SidestageError(problem));
    }
  }

  #handOver(turn: LiveTurn): void {
    if (turn.messageId !== null) {
      if (!this.#attached.has(turn)) this.#resume(turn);
      this.attach(turn);
      if (turn.unwanted) this.cancel(turn);
      return;
    }
    turn.begin();
    this.parts.socket.send({
      type: 'message',
      message: turn.message,
      creator_id: this.parts.creatorId,
      ...(turn.videoUrl !== undefined && { video_url: turn.videoUrl }),
      idempotency_key: turn.idempotencyKey,
    });
  }

  #resume({ messageId, lastSeq, idempotencyKey }: LiveTurn): void {
    this.parts.socket.send({
      type: 'resume',
      message_id: messageId ?? '',
      last_seq: lastSeq,
      idempotency_key: idempotencyKey,
    });
  }
}
