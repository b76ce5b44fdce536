import type { ClientEvent, Problem, WsServerFrame } from '@sidestage/contracts';
import type { Gateway } from '../api/gateway.js';
import { problemOf } from '../api/problem.js';
import { ReplySocket, type SocketState } from '../api/socket.js';
import { makeId } from '../model/ids.js';
import { applyEvent, isOver, isRunning, makeTurn, mergeHistory, type Turn, turnsOfHistory } from '../model/turn.js';
import { sendOverHttp } from './httpSender.js';

export interface Limited {
  problem: Problem;
  untilMs: number;
}

export interface ConversationState {
  /** null until the first message is accepted. */
  id: string | null;
  turns: Turn[];
  link: SocketState;
  online: boolean;
  /** Sockets do not get through but the gateway answers: replies come over SSE. */
  detour: boolean;
  history: 'none' | 'loading' | 'ready' | 'failed';
  historyProblem: Problem | null;
  older: 'none' | 'more' | 'loading';
  limited: Limited | null;
  /** Words given back because they could not be sent; the composer takes them. */
  returned: string | null;
}

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

/**
 * One conversation as this page knows it: its turns, what is on its way, and the socket (or, where sockets do not get through, SSE) that
 * brings the replies. React only looks at `state`; every change makes a new one.
 *
 * A message keeps its idempotency key until its outcome is known: a cut line leaves it `held` and it is sent again with the same key.
 */
export class Conversation {
  readonly uid = makeId();
  #state: ConversationState;
  #listeners = new Set<() => void>();
  #socket: ReplySocket;
  #olderCursor: string | null = null;
  #wasOpen = false;
  /** Keys of messages to be cancelled as soon as they have an id. */
  #unwanted = new Set<string>();
  #overHttp = new Set<string>();
  #closing: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly parts: ConversationParts) {
    this.#state = {
      id: parts.id,
      turns: [],
      link: 'idle',
      online: navigator.onLine,
      detour: false,
      history: parts.id === null ? 'none' : 'loading',
      historyProblem: null,
      older: 'none',
      limited: null,
      returned: null,
    };
    this.#socket = new ReplySocket({
      address: () => this.#address(),
      token: () => parts.gateway.session.token(),
      onFrame: (frame) => this.#onFrame(frame),
      onState: (link) => this.#onLink(link),
    });
  }

  get state(): ConversationState {
    return this.#state;
  }

  get creator(): string {
    return this.parts.creator;
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Begins to live: history, socket, network events. The returned function ends it, unless it is opened again within a moment. */
  open(): () => void {
    clearTimeout(this.#closing);
    window.addEventListener('online', this.#onOnline);
    window.addEventListener('offline', this.#onOffline);
    if (this.#state.id !== null && this.#state.history !== 'ready') void this.loadHistory();
    if (this.parts.gateway.session.current) void this.#socket.connect();
    return () => {
      window.removeEventListener('online', this.#onOnline);
      window.removeEventListener('offline', this.#onOffline);
      this.#closing = setTimeout(() => this.#socket.close(), 1000);
    };
  }

  /** Sends `text`, now or as soon as there is a connection. */
  send(text: string): void {
    const key = makeId();
    this.#patch({ turns: [...this.#state.turns, makeTurn({ key, fanText: text, sentAtMs: Date.now() })] });
    void this.#flush();
  }

  /** The same words again as a new turn with a new key. A turn that failed makes room for it. */
  again(turn: Turn): void {
    if (turn.phase === 'failed') this.#patch({ turns: this.#state.turns.filter((other) => other.key !== turn.key) });
    this.send(turn.fanText);
  }

  /** Stops a reply; words that were not sent yet come back. */
  stop(turn: Turn): void {
    if (turn.phase === 'held') {
      this.#giveBack(turn);
      return;
    }
    if (turn.messageId === null) this.#unwanted.add(turn.key);
    else this.#cancel(turn.messageId);
  }

  /** The reply that Esc and the stop button end: the newest that runs or waits. */
  get stoppable(): Turn | null {
    return this.#state.turns.findLast((turn) => !isOver(turn.phase)) ?? null;
  }

  async rate(turn: Turn, rating: 'up' | 'down'): Promise<void> {
    if (turn.messageId === null || turn.feedback === rating) return;
    const before = turn.feedback;
    this.#change(turn.key, (known) => ({ ...known, feedback: rating }));
    try {
      await this.parts.gateway.rate(turn.messageId, rating);
    } catch {
      this.#change(turn.key, (known) => ({ ...known, feedback: before }));
    }
  }

  takeReturned(): void {
    this.#patch({ returned: null });
  }

  clearLimit(): void {
    this.#patch({ limited: null });
  }

  async loadHistory(): Promise<void> {
    const { id } = this.#state;
    if (id === null) return;
    if (this.#state.history !== 'ready') this.#patch({ history: 'loading', historyProblem: null });
    try {
      const page = await this.parts.gateway.messages(id, null);
      const first = this.#state.history !== 'ready';
      if (first) this.#olderCursor = page.next_cursor;
      const turns = mergeHistory(this.#state.turns, turnsOfHistory(page.items));
      this.#patch({ turns, history: 'ready', ...(first && { older: page.next_cursor ? 'more' : 'none' }) });
      this.#resumeAll();
    } catch (error) {
      if (this.#state.history !== 'ready') this.#patch({ history: 'failed', historyProblem: problemOf(error) });
    }
  }

  async loadOlder(): Promise<void> {
    const { id, older } = this.#state;
    if (id === null || older !== 'more' || this.#olderCursor === null) return;
    this.#patch({ older: 'loading' });
    try {
      const page = await this.parts.gateway.messages(id, this.#olderCursor);
      this.#olderCursor = page.next_cursor;
      const turns = mergeHistory(this.#state.turns, turnsOfHistory(page.items));
      this.#patch({ turns, older: page.next_cursor ? 'more' : 'none' });
    } catch {
      this.#patch({ older: 'more' });
    }
  }

  #address(): string {
    const base = this.parts.gateway.url.replace(/^http/, 'ws');
    return `${base}/ws/${encodeURIComponent(this.#state.id ?? 'new')}/${this.parts.clientId}`;
  }

  /** Hands held turns to whatever road is open. In a new conversation one goes first: the others need its id. */
  async #flush(): Promise<void> {
    const held = this.#state.turns.filter((turn) => turn.phase === 'held');
    if (held.length === 0) return;
    if (this.#socket.state !== 'open') {
      if (this.#state.detour) this.#sendHeldOverHttp(held);
      else void this.#socket.connect();
      return;
    }
    for (const turn of held) {
      if (this.#waitsForId(turn)) return;
      const sent = this.#socket.send({
        type: 'message',
        message: turn.fanText,
        creator_id: this.parts.creator,
        idempotency_key: turn.idempotencyKey,
      });
      if (!sent) return;
      this.#change(turn.key, (known) => ({ ...known, phase: 'sending' }));
    }
  }

  #waitsForId(turn: Turn): boolean {
    return this.#state.id === null && this.#state.turns.some((other) => other !== turn && other.phase === 'sending');
  }

  #sendHeldOverHttp(held: Turn[]): void {
    for (const turn of held) {
      if (this.#overHttp.has(turn.key) || this.#waitsForId(turn)) continue;
      this.#overHttp.add(turn.key);
      this.#change(turn.key, (known) => ({ ...known, phase: 'sending' }));
      void this.#followOverHttp(turn);
    }
  }

  async #followOverHttp(turn: Turn): Promise<void> {
    const find = () => this.#state.turns.find((other) => other.key === turn.key);
    try {
      await sendOverHttp(this.parts.gateway, turn, {
        creator: this.parts.creator,
        conversationId: this.#state.id,
        current: find,
        onEvent: (event) => this.#onOwnEvent(turn.key, event),
      });
    } catch (error) {
      const problem = problemOf(error);
      if (problem.code === 'unreachable') {
        this.#patch({ detour: false });
        this.#change(turn.key, backToHeld);
      } else this.#refused(turn.key, problem);
    } finally {
      this.#overHttp.delete(turn.key);
      void this.#flush();
    }
  }

  #onOwnEvent(key: string, event: ClientEvent): void {
    const turn = this.#state.turns.find((other) => other.key === key);
    if (turn?.messageId === null) this.#accepted(key, event.message_id, event.conversation_id);
    this.#onEvent(event);
  }

  #onFrame(frame: WsServerFrame): void {
    switch (frame.type) {
      case 'ready':
      case 'pong':
        return;
      case 'error':
        this.#onError(frame.problem, frame.idempotency_key);
        return;
      case 'accepted':
        this.parts.gateway.quotas.tell(frame.rate_limit ?? []);
        this.#onAccepted(frame);
        return;
      default:
        this.#onEvent(frame);
    }
  }

  #onAccepted(frame: Extract<WsServerFrame, { type: 'accepted' }>): void {
    const { turns } = this.#state;
    const own = turns.find((turn) => turn.idempotencyKey === frame.idempotency_key);
    if (own) {
      this.#accepted(own.key, frame.message_id, frame.conversation_id);
      return;
    }
    if (turns.some((turn) => turn.messageId === frame.message_id)) return;
    const turn = makeTurn({
      key: frame.message_id,
      messageId: frame.message_id,
      fanText: frame.message,
      sentAtMs: Date.now(),
      phase: 'accepted',
      fromElsewhere: true,
    });
    this.#patch({ turns: mergeHistory(turns, [turn]) });
    this.parts.onChanged();
  }

  #accepted(key: string, messageId: string, conversationId: string): void {
    // Another device's view of the same turn may have come in first, through the history.
    const turns = this.#state.turns.filter((turn) => turn.key === key || turn.messageId !== messageId);
    this.#patch({ turns, limited: null });
    this.#change(key, (turn) =>
      turn.messageId === null ? { ...turn, messageId, phase: isOver(turn.phase) ? turn.phase : 'accepted' } : turn,
    );
    if (this.#state.id === null) {
      this.#patch({ id: conversationId, history: 'ready' });
      this.parts.onIdKnown(this, conversationId);
    }
    this.parts.onChanged();
    if (this.#unwanted.delete(key)) this.#cancel(messageId);
    void this.#flush();
  }

  #onEvent(event: ClientEvent): void {
    const turn = this.#state.turns.find((other) => other.messageId === event.message_id);
    if (!turn) {
      // A turn of another device whose `accepted` was missed: its words are in the history.
      void this.loadHistory();
      return;
    }
    this.#change(turn.key, (known) => applyEvent(known, event, Date.now()));
    if (event.type === 'completed') this.parts.onChanged();
  }

  #onError(problem: Problem, key: string | undefined): void {
    const turn =
      this.#state.turns.find((other) => other.idempotencyKey === key) ??
      (key === undefined ? this.#state.turns.find((other) => other.phase === 'sending') : undefined);
    if (turn) this.#refused(turn.key, problem);
  }

  /** A message was not taken. Used-up limits give the words back; anything else stands where the reply would be. */
  #refused(key: string, problem: Problem): void {
    const turn = this.#state.turns.find((other) => other.key === key);
    if (!turn || isOver(turn.phase)) return;
    if (problem.code === 'quota_exceeded' && turn.messageId === null) {
      if (problem.limit) this.parts.gateway.quotas.tell([problem.limit]);
      const seconds = problem.retry_after_seconds ?? problem.limit?.reset_seconds ?? 10;
      this.#patch({ limited: { problem, untilMs: Date.now() + Math.max(1, seconds) * 1000 } });
      this.#giveBack(turn);
      return;
    }
    this.#change(key, (known) => ({ ...known, phase: 'failed', problem, problemAtMs: Date.now() }));
  }

  #giveBack(turn: Turn): void {
    const words = [this.#state.returned, turn.fanText].filter(Boolean).join('\n');
    this.#patch({ turns: this.#state.turns.filter((other) => other.key !== turn.key), returned: words });
  }

  #cancel(messageId: string): void {
    if (this.#socket.send({ type: 'cancel', message_id: messageId })) return;
    this.parts.gateway.cancel(messageId).then(
      () => this.#endHere(messageId),
      () => undefined,
    );
  }

  /** Over HTTP a cancelled turn's stream may not be open any more to say so. */
  #endHere(messageId: string): void {
    const turn = this.#state.turns.find((other) => other.messageId === messageId);
    if (turn && !isOver(turn.phase)) this.#change(turn.key, (known) => ({ ...known, phase: 'cancelled' }));
  }

  #onLink(link: SocketState): void {
    this.#patch({ link, ...(link === 'open' && { detour: false }) });
    if (link === 'open') {
      if (this.#wasOpen) void this.loadHistory();
      this.#wasOpen = true;
      this.#resumeAll();
      void this.#flush();
      return;
    }
    if (link === 'connecting') return;
    // What was on its way may or may not have arrived: it goes again with the same key.
    for (const turn of this.#state.turns) {
      if (turn.phase === 'sending' && !this.#overHttp.has(turn.key)) this.#change(turn.key, backToHeld);
    }
    if (link === 'unusable' && !this.#state.detour) void this.#tryDetour();
  }

  /** Only a gateway that answers is worth going around its sockets; one that is down is waited for. */
  async #tryDetour(): Promise<void> {
    if (!(await this.parts.gateway.answers()) || this.#socket.state === 'open') return;
    this.#patch({ detour: true });
    void this.#flush();
    this.#resumeOverHttp();
  }

  #resumeAll(): void {
    for (const turn of this.#state.turns) {
      if (isRunning(turn) && turn.messageId !== null && !this.#overHttp.has(turn.key)) {
        this.#socket.send({ type: 'resume', message_id: turn.messageId, last_seq: turn.lastSeq });
      }
    }
  }

  #resumeOverHttp(): void {
    for (const turn of this.#state.turns) {
      if (!isRunning(turn) || this.#overHttp.has(turn.key)) continue;
      this.#overHttp.add(turn.key);
      void this.#followOverHttp(turn);
    }
  }

  #onOnline = (): void => {
    this.#patch({ online: true });
    void this.#socket.connect();
  };

  #onOffline = (): void => {
    this.#patch({ online: false });
    this.#socket.drop();
  };

  #change(key: string, change: (turn: Turn) => Turn): void {
    let changed = false;
    const turns = this.#state.turns.map((turn) => {
      if (turn.key !== key) return turn;
      const next = change(turn);
      changed ||= next !== turn;
      return next;
    });
    if (changed) this.#patch({ turns });
  }

  #patch(part: Partial<ConversationState>): void {
    this.#state = { ...this.#state, ...part };
    for (const listener of this.#listeners) listener();
  }
}

function backToHeld(turn: Turn): Turn {
  return turn.messageId === null && turn.phase === 'sending' ? { ...turn, phase: 'held' } : turn;
}
