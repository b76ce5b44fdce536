import type { WsServerFrame } from '@sidestage/contracts';
import type { LiveTurn } from './turn.js';
import type { SidestageError } from './wire/problem.js';

type AcceptedFrame = Extract<WsServerFrame, { type: 'accepted' }>;

export interface TurnRegisterParts {
  /** A turn that somebody else began: to be followed. */
  makeForeign: (frame: AcceptedFrame) => LiveTurn;
  /** It is certain that it is somebody else's. */
  onForeign: (turn: LiveTurn) => void;
}

/** Ended turns whose ids are remembered: what still comes of them is no news. */
const maxEnded = 500;

/** The live turns of a conversation, by what frames call them. */
export class TurnRegister {
  /** Ours by idempotency key, until they are over. */
  #own = new Map<string, LiveTurn>();
  #byMessage = new Map<string, LiveTurn>();
  #ended = new Set<string>();
  /** Turns of others not told of yet: while a message of ours is on its way, one of them may be that message. */
  #untold: LiveTurn[] = [];

  constructor(private readonly parts: TurnRegisterParts) {}

  addOwn(turn: LiveTurn): void {
    this.#own.set(turn.idempotencyKey, turn);
    turn.accepted.then(
      () => this.#tellForeign(),
      () => this.#tellForeign(),
    );
    void turn.over.then(() => this.#own.delete(turn.idempotencyKey));
  }

  /** It has a message id. A stand-in that was heard of first hands over what it has. */
  name(turn: LiveTurn): void {
    const { messageId } = turn;
    if (messageId === null) return;
    const standIn = this.#byMessage.get(messageId);
    if (standIn === turn) return;
    this.#byMessage.set(messageId, turn);
    void turn.over.then(() => this.#forget(turn, messageId));
    if (!standIn) return;
    this.#untold = this.#untold.filter((other) => other !== standIn);
    turn.adopt(standIn);
  }

  byMessage(messageId: string): LiveTurn | undefined {
    return this.#byMessage.get(messageId);
  }

  /** The turn that the server says it has; null for one that is over here. */
  accepted(frame: AcceptedFrame): LiveTurn | null {
    const own = frame.idempotency_key === undefined ? undefined : this.#own.get(frame.idempotency_key);
    if (own) {
      own.accept(frame.message_id, frame.conversation_id);
      this.name(own);
      return own;
    }
    const known = this.#byMessage.get(frame.message_id);
    if (known || this.#ended.has(frame.message_id)) return known ?? null;
    const foreign = this.parts.makeForeign(frame);
    this.name(foreign);
    this.#untold.push(foreign);
    this.#tellForeign();
    return foreign;
  }

  /** How many turns can be asked for by their message's id. */
  get named(): number {
    return this.#byMessage.size;
  }

  /** No turn is under way. */
  get isIdle(): boolean {
    return this.#own.size === 0 && this.#byMessage.size === 0;
  }

  failAll(error: SidestageError): void {
    for (const turn of [...this.#own.values(), ...this.#byMessage.values()]) turn.fail(error);
  }

  #tellForeign(): void {
    if ([...this.#own.values()].some((turn) => turn.messageId === null && turn.tried)) return;
    for (const turn of this.#untold.splice(0)) this.parts.onForeign(turn);
  }

  #forget(turn: LiveTurn, messageId: string): void {
    if (this.#byMessage.get(messageId) !== turn) return;
    this.#byMessage.delete(messageId);
    this.#ended.add(messageId);
    const [oldest] = this.#ended;
    if (this.#ended.size > maxEnded && oldest !== undefined) this.#ended.delete(oldest);
  }
}
