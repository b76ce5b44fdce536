import type { Gateway } from '../api/gateway.js';
import { ReplySocket, type SocketState } from '../api/socket.js';
import { makeId } from '../model/ids.js';
import { isOver, makeTurn, type Turn } from '../model/turn.js';
import { ConversationHistory } from './conversationHistory.js';
import { type ConversationState, ConversationStore } from './conversationStore.js';
import { Delivery } from './delivery.js';
import { ReplyInbox } from './replyInbox.js';

export interface ConversationParts {
  gateway: Gateway;
  /** Id or slug. */
  creator: string;
  id: string | null;
  clientId: string;
  onIdKnown: (conversation: Conversation, id: string) => unknown;
  /** Something was said, so lists of conversations are out of date. */
  onChanged: () => void;
}

/** How long a conversation that left the page keeps its socket: React and the back button open it again within it. */
const lingerMs = 1000;

/**
 * One conversation as this page knows it: its turns, what is on its way, and the socket that brings the replies. What the fan does comes in
 * here; `delivery` brings it to the server, `inbox` takes what the server says, `history` what was said before.
 */
export class Conversation {
  readonly uid = makeId();
  #store: ConversationStore;
  #socket: ReplySocket;
  #history: ConversationHistory;
  #delivery: Delivery;
  #wasOpen = false;
  /** Keys of messages to be cancelled as soon as they have an id. */
  #unwanted = new Set<string>();
  #closing: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly parts: ConversationParts) {
    const { gateway, creator } = parts;
    const store = new ConversationStore(parts.id, navigator.onLine);
    const inbox = new ReplyInbox({
      store,
      quotas: gateway.quotas,
      onAccepted: (key, messageId) => this.#onAccepted(key, messageId),
      onBegun: (id) => parts.onIdKnown(this, id),
      onUnknownTurn: () => void this.loadHistory(),
      onChanged: parts.onChanged,
    });
    this.#socket = new ReplySocket({
      address: () => this.#address(),
      token: () => gateway.session.token(),
      onFrame: (frame) => inbox.frame(frame),
      onState: (link) => this.#onLink(link),
    });
    this.#store = store;
    this.#delivery = new Delivery({ store, gateway, creator, inbox, socket: this.#socket });
    this.#history = new ConversationHistory(store, gateway, () => this.#delivery.resumeRunning());
  }

  get state(): ConversationState {
    return this.#store.state;
  }

  get creator(): string {
    return this.parts.creator;
  }

  subscribe = (listener: () => void): (() => void) => this.#store.subscribe(listener);

  /** Begins to live: history, socket, network events. The returned function ends it, unless it is opened again within a moment. */
  open(): () => void {
    clearTimeout(this.#closing);
    window.addEventListener('online', this.#onOnline);
    window.addEventListener('offline', this.#onOffline);
    if (this.state.id !== null && this.state.history !== 'ready') void this.loadHistory();
    if (this.parts.gateway.session.current) void this.#socket.connect();
    return () => {
      this.#stopListening();
      this.#closing = setTimeout(() => this.#socket.close(), lingerMs);
    };
  }

  /** Ends it at once and for good: it was deleted, or somebody else is here now. */
  end(): void {
    clearTimeout(this.#closing);
    this.#stopListening();
    this.#socket.close();
  }

  /** Sends `text`, now or as soon as there is a connection. */
  send(text: string): void {
    const key = makeId();
    this.#store.patch({ turns: [...this.state.turns, makeTurn({ key, fanText: text, sentAtMs: Date.now() })] });
    this.#delivery.flush();
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
    if (turn.phase === 'held') this.#store.giveBack(turn);
    else if (turn.messageId === null) this.#unwanted.add(turn.key);
    else this.#delivery.cancel(turn.messageId);
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

  #address(): string {
    const base = this.parts.gateway.url.replace(/^http/, 'ws');
    return `${base}/ws/${encodeURIComponent(this.state.id ?? 'new')}/${this.parts.clientId}`;
  }

  #onAccepted(key: string, messageId: string): void {
    if (this.#unwanted.delete(key)) this.#delivery.cancel(messageId);
    this.#delivery.flush();
  }

  #onLink(link: SocketState): void {
    this.#store.patch({ link, ...(link === 'open' && { detour: false }) });
    if (link === 'open') {
      if (this.#wasOpen) void this.loadHistory();
      this.#wasOpen = true;
      this.#delivery.resumeRunning();
      this.#delivery.flush();
    } else if (link !== 'connecting') this.#delivery.onLinkDown(link);
  }

  #stopListening(): void {
    window.removeEventListener('online', this.#onOnline);
    window.removeEventListener('offline', this.#onOffline);
  }

  #onOnline = (): void => {
    this.#store.patch({ online: true });
    void this.#socket.connect();
  };

  #onOffline = (): void => {
    this.#store.patch({ online: false });
    this.#socket.drop();
  };
}
