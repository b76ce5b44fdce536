import { type Conversation as Line, problemOf, type Turn as SentTurn, type Sidestage } from '@sidestage/client';
import { isOver, isRunning, type Turn } from '../model/turn.js';
import type { ConversationStore } from './conversationStore.js';
import type { ReplyInbox } from './replyInbox.js';

export interface DeliveryParts {
  sidestage: Sidestage;
  store: ConversationStore;
  /** Id or slug. */
  creator: string;
  inbox: ReplyInbox;
  /** The line came back after it was lost: something may have been missed that no reply tells. */
  onBack: () => void;
}

/**
 * Brings the page's turns to the server and its replies back, through the client of `@sidestage/client`, which knows the roads. A turn
 * keeps its idempotency key however often the line is opened anew.
 */
export class Delivery {
  #line: Line | null = null;
  #wasOpen = false;
  /** By the turn's key. */
  #sent = new Map<string, SentTurn>();

  constructor(private readonly parts: DeliveryParts) {}

  /** Opens the line, and hands it what was written and what ran when it was closed. */
  connect(): void {
    const line = this.#open();
    line.connect();
    for (const turn of this.parts.store.state.turns) if (turn.phase === 'held') this.send(turn);
    this.followRunning();
  }

  send(turn: Turn): void {
    if (this.#sent.has(turn.key)) return;
    this.#watch(turn.key, this.#open().send(turn.fanText, { idempotencyKey: turn.idempotencyKey }));
  }

  /** Follows every reply that runs, be it known from the history alone. */
  followRunning(): void {
    const line = this.#line;
    if (!line) return;
    for (const turn of this.parts.store.state.turns.filter(isRunning)) {
      if (!this.#sent.has(turn.key)) this.#watch(turn.key, line.follow(turn.messageId, { lastSeq: turn.lastSeq }));
    }
  }

  cancel(key: string): void {
    void this.#sent.get(key)?.cancel();
  }

  /** Something is written that the server does not have yet. */
  get hasUnsent(): boolean {
    return this.parts.store.state.turns.some((turn) => turn.phase === 'held' || turn.phase === 'sending');
  }

  close(): void {
    void this.#line?.close();
    this.#line = null;
    this.#sent.clear();
    this.parts.store.patch({ link: 'idle' });
  }

  #open(): Line {
    if (this.#line) return this.#line;
    const { sidestage, creator, store, onBack } = this.parts;
    const line = sidestage.conversation({
      creatorId: creator,
      ...(store.state.id !== null && { conversationId: store.state.id }),
    });
    line.onLink((link) => {
      if (line !== this.#line) return;
      store.patch({ link });
      if (link !== 'open') return;
      if (this.#wasOpen) onBack();
      this.#wasOpen = true;
    });
    line.onTurn((turn) => this.#onForeign(turn));
    this.#line = line;
    return line;
  }

  #onForeign(sent: SentTurn): void {
    const { store, inbox } = this.parts;
    const { messageId } = sent;
    if (messageId === null) return;
    const key = store.turnOf(messageId)?.key ?? inbox.fromElsewhere(messageId, sent.message);
    if (!this.#sent.has(key)) this.#watch(key, sent);
  }

  #watch(key: string, sent: SentTurn): void {
    const { store, inbox } = this.parts;
    this.#sent.set(key, sent);
    sent.onPhase((phase) => {
      if (phase === 'held' || phase === 'sending') store.changeTurn(key, (turn) => unaccepted(turn, phase));
    });
    sent.accepted.then(
      ({ messageId, conversationId }) => inbox.accepted(key, messageId, conversationId),
      () => undefined,
    );
    void this.#follow(key, sent);
  }

  async #follow(key: string, sent: SentTurn): Promise<void> {
    const { store, inbox } = this.parts;
    try {
      for await (const event of sent) inbox.event(key, event);
    } catch (error) {
      const problem = problemOf(error);
      if (problem.code === 'closed') store.changeTurn(key, (turn) => unaccepted(turn, 'held'));
      else inbox.refused(key, problem);
    } finally {
      if (this.#sent.get(key) === sent) this.#sent.delete(key);
    }
  }
}

function unaccepted(turn: Turn, phase: 'held' | 'sending'): Turn {
  return turn.messageId === null && !isOver(turn.phase) && turn.phase !== phase ? { ...turn, phase } : turn;
}
