import type { ClientEvent, Completed } from '@sidestage/contracts';
import type { Turn, TurnPhase } from './types.js';
import { Deferred } from './wire/deferred.js';
import { Listeners } from './wire/listeners.js';
import { cancelledTurn, SidestageError } from './wire/problem.js';

export interface TurnFields {
  idempotencyKey: string;
  message: string;
  videoUrl?: string | undefined;
  messageId?: string;
  conversationId?: string | null;
  lastSeq?: number;
  text?: string;
  /** It is unwanted now: stop it wherever it is. */
  onCancel: (turn: LiveTurn) => void;
  /** More is known of its ids. */
  onAccepted: (turn: LiveTurn) => void;
}

/** How an event was met: `hole` misses one before it, and changed nothing. */
export type Taken = 'taken' | 'repeat' | 'hole';

/** A turn as it stands here: every event is taken once and in order, whatever road it came by. */
export class LiveTurn implements Turn {
  readonly idempotencyKey: string;
  readonly message: string;
  readonly videoUrl: string | undefined;
  messageId: string | null;
  conversationId: string | null;
  lastSeq: number;
  text: string;
  phase: TurnPhase;
  /** It may have reached a gateway. */
  tried = false;
  /** To be stopped at the server as soon as that is possible. */
  unwanted = false;
  /** When the server was last heard about it, ms (monotonic). */
  heardAt = performance.now();
  #place: number | null | undefined;
  #events: ClientEvent[] = [];
  #error: SidestageError | null = null;
  #onEvent = new Listeners<[ClientEvent]>();
  #onPhase = new Listeners<[TurnPhase]>();
  #news = new Deferred<void>();
  #reply = new Deferred<Completed>();
  #accepted = new Deferred<{ messageId: string; conversationId: string }>();
  #over = new Deferred<void>();
  readonly #tellCancel: TurnFields['onCancel'];
  readonly #tellIds: TurnFields['onAccepted'];

  constructor(fields: TurnFields) {
    this.idempotencyKey = fields.idempotencyKey;
    this.message = fields.message;
    this.videoUrl = fields.videoUrl;
    this.messageId = fields.messageId ?? null;
    this.conversationId = fields.conversationId ?? null;
    this.lastSeq = fields.lastSeq ?? 0;
    this.text = fields.text ?? '';
    this.phase = this.messageId === null ? 'held' : 'accepted';
    this.#tellCancel = fields.onCancel;
    this.#tellIds = fields.onAccepted;
    this.#settleAccepted();
  }

  get reply(): Promise<Completed> {
    return this.#reply.promise;
  }

  get accepted(): Promise<{ messageId: string; conversationId: string }> {
    return this.#accepted.promise;
  }

  /** Resolves when it is over, however it ended. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  get isOver(): boolean {
    return this.phase === 'ended';
  }

  onEvent(listener: (event: ClientEvent) => void): () => void {
    return this.#onEvent.add(listener);
  }

  onPhase(listener: (phase: TurnPhase) => void): () => void {
    return this.#onPhase.add(listener);
  }

  cancel(): Promise<void> {
    if (!this.isOver && !this.unwanted) {
      this.unwanted = true;
      this.#tellCancel(this);
    }
    return this.over;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ClientEvent, void, undefined> {
    for (let index = 0; ; ) {
      for (let event = this.#events[index]; event; event = this.#events[index]) {
        index += 1;
        yield event;
      }
      if (this.#error) throw this.#error;
      if (this.isOver) return;
      await this.#news.promise;
    }
  }

  /** On its way; a message whose first try failed stays `held` until a gateway has it. */
  begin(): void {
    if (this.tried || this.phase !== 'held') return;
    this.tried = true;
    this.#become('sending');
  }

  /** The way was cut: whether it arrived is not known. */
  hold(): void {
    if (this.phase === 'sending') this.#become('held');
  }

  /** @param conversationId null where it is told later */
  accept(messageId: string, conversationId: string | null): void {
    this.heardAt = performance.now();
    const news = this.messageId === null || (this.conversationId === null && conversationId !== null);
    if (!news || this.isOver) return;
    this.messageId ??= messageId;
    this.conversationId ??= conversationId;
    this.#tellIds(this);
    if (this.phase !== 'accepted') this.#become('accepted');
    this.#settleAccepted();
  }

  take(event: ClientEvent): Taken {
    this.heardAt = performance.now();
    if (this.isOver) return 'repeat';
    if (event.seq === 0) return this.#takeUnnumbered(event);
    if (event.seq <= this.lastSeq) return 'repeat';
    // Where the replay buffer was lost the reply begins again, at a higher number.
    const beginsAgain = event.type === 'reset' && event.recovered === false;
    if (event.seq !== this.lastSeq + 1 && !beginsAgain) return 'hole';
    this.accept(event.message_id, event.conversation_id);
    this.lastSeq = event.seq;
    this.#apply(event);
    return 'taken';
  }

  /** Takes over what a stand-in for the same turn has received. */
  adopt(standIn: LiveTurn): void {
    for (const event of standIn.#events) this.take(event);
  }

  /** Over without an end told by the server. */
  fail(error: SidestageError): void {
    if (this.isOver) return;
    this.#error = error;
    this.#reply.reject(error);
    this.#end();
  }

  /** A place in the line, told by a gateway that cannot number it: news only before the numbered events and where it changed. */
  #takeUnnumbered(event: ClientEvent): Taken {
    if (event.type !== 'queued' || this.lastSeq > 0 || event.position === this.#place) return 'repeat';
    this.#place = event.position;
    this.accept(event.message_id, event.conversation_id);
    this.#tell(event);
    return 'taken';
  }

  #apply(event: ClientEvent): void {
    if (event.type === 'delta') this.text += event.text;
    if (event.type === 'reset') this.text = '';
    if (event.type === 'completed') this.text = event.reply.text;
    this.#tell(event);
    if (event.type === 'completed') {
      const { type, seq, ...completed } = event;
      this.#reply.resolve(completed);
    } else if (event.type === 'failed') this.#reply.reject(new SidestageError(event.problem));
    else if (event.type === 'cancelled') this.#reply.reject(new SidestageError(cancelledTurn));
    else return;
    this.#end();
  }

  #tell(event: ClientEvent): void {
    this.#events.push(event);
    this.#wake();
    this.#onEvent.tell(event);
  }

  #settleAccepted(): void {
    const { messageId, conversationId } = this;
    if (messageId !== null && conversationId !== null) this.#accepted.resolve({ messageId, conversationId });
  }

  #end(): void {
    this.#accepted.reject(this.#error ?? new SidestageError(cancelledTurn));
    this.#become('ended');
    this.#over.resolve();
    this.#wake();
  }

  #become(phase: TurnPhase): void {
    this.phase = phase;
    this.#onPhase.tell(phase);
  }

  #wake(): void {
    const { resolve } = this.#news;
    this.#news = new Deferred();
    resolve();
  }
}
