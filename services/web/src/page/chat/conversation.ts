import type { Sidestage } from '@sidestage/client';
import type { Gateway } from '../api/gateway.js';
import { makeId } from '../model/ids.js';
import { isOver, makeTurn, type Turn } from '../model/turn.js';
import { ConversationHistory } from './conversationHistory.js';
import { type ConversationState, ConversationStore } from './conversationStore.js';
import { Delivery } from './delivery.js';
import { ReplyInbox } from './replyInbox.js';

export interface ConversationParts {
  gateway: Gateway;
  sidestage: Sidestage;
  /** Id or slug. */
  creator: string;
  id: string | null;
  onIdKnown: (conversation: Conversation, id: string) => unknown;
  /** Something was said, so lists of conversations are out of date. */
  onChanged: () => void;
}

/** How long a conversation that left the page keeps its line: React and the back button open it again within it. */
const lingerMs = 1000;

/**
 * One conversation as this page knows it: its turns, what is on its way, and what was said. What the fan does comes in here; `delivery`
 * brings it to the server, `inbox` takes what the server says, `history` what was said before.
 */
export class Conversation {
  readonly uid = makeId();
  #store: ConversationStore;
  #history: ConversationHistory;
  #delivery: Delivery;
  #closing: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly parts: ConversationParts) {
    const { gateway, sidestage, creator } = parts;
    const store = new ConversationStore(parts.id, navigator.onLine);
    const inbox = new ReplyInbox({
      store,
      quotas: gateway.quotas,
      onBegun: (id) => parts.onIdKnown(this, id),
      onChanged: parts.onChanged,
    });
    this.#store = store;
    this.#delivery = new Delivery({ sidestage, store, creator, inbox, onBack: () => void this.loadHistory() });
    this.#history = new ConversationHistory(store, gateway, () => this.#delivery.followRunning());
  }

  get state(): ConversationState {
    return this.#store.state;
  }

  get creator(): string {
    return this.parts.creator;
  }

  subscribe = (listener: () => void): (() => void) => this.#store.subscribe(listener);

  /** Begins to live: history, line, network events. The returned function ends it, unless it is opened again within a moment. */
  open(): () => void {
    clearTimeout(this.#closing);
    window.addEventListener('online', this.#onOnline);
    window.addEventListener('offline', this.#onOffline);
    if (this.state.id !== null && this.state.history !== 'ready') void this.loadHistory();
    if (this.parts.gateway.session.current) this.#delivery.connect();
    return () => {
      this.#stopListening();
      this.#linger();
    };
  }

  /** Ends it at once and for good: it was deleted, or somebody else is here now. */
  end(): void {
    clearTimeout(this.#closing);
    this.#stopListening();
    this.#delivery.close();
  }

  /** Sends `text`, now or as soon as there is a connection. */
  send(text: string): void {
    const turn = makeTurn({ key: makeId(), fanText: text, sentAtMs: Date.now() });
    this.#store.patch({ turns: [...this.state.turns, turn] });
    this.#delivery.send(turn);
  }

  /** The same words again as a new turn with a new key. A turn that failed makes room for it. */
  again(turn: Turn): void {
    if (turn.phase === 'failed') {
      this.#store.patch({ turns: this.state.turns.filter((other) => other.key !== turn.key) });
    }
    this.send(turn.fanText);
  }

  /** Stops a reply; words that were not sent yet come back. */
  stop(turn: Turn): void {
    this.#delivery.cancel(turn.key);
    if (turn.phase === 'held') this.#store.giveBack(turn);
  }

  /** The reply that Esc and the stop button end: the newest that runs or waits. */
  get stoppable(): Turn | null {
    return this.state.turns.findLast((turn) => !isOver(turn.phase)) ?? null;
  }

  async rate(turn: Turn, rating: 'up' | 'down'): Promise<void> {
    if (turn.messageId === null || turn.feedback === rating) return;
    const before = turn.feedback;
    this.#store.changeTurn(turn.key, (known) => ({ ...known, feedback: rating }));
    try {
      await this.parts.gateway.rate(turn.messageId, rating);
    } catch {
      this.#store.changeTurn(turn.key, (known) => ({ ...known, feedback: before }));
    }
  }

  takeReturned(): void {
    this.#store.patch({ returned: null });
  }

  clearLimit(): void {
    this.#store.patch({ limited: null });
  }

  loadHistory(): Promise<void> {
    return this.#history.load();
  }

  loadOlder(): Promise<void> {
    return this.#history.loadOlder();
  }

  /** What is written but not sent is waited for: it would stay here unsaid. */
  #linger(): void {
    this.#closing = setTimeout(() => (this.#delivery.hasUnsent ? this.#linger() : this.#delivery.close()), lingerMs);
  }

  #stopListening(): void {
    window.removeEventListener('online', this.#onOnline);
    window.removeEventListener('offline', this.#onOffline);
  }

  #onOnline = (): void => {
    this.#store.patch({ online: true });
  };

  #onOffline = (): void => {
    this.#store.patch({ online: false });
  };
}
