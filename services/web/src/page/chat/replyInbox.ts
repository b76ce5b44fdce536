import type { ClientEvent, Problem, WsServerFrame } from '@sidestage/contracts';
import type { QuotaStore } from '../api/quotaStore.js';
import { applyEvent, isOver, makeTurn, mergeHistory } from '../model/turn.js';
import type { ConversationStore } from './conversationStore.js';

export interface InboxParts {
  store: ConversationStore;
  quotas: QuotaStore;
  /** One of our messages has an id now. */
  onAccepted: (key: string, messageId: string) => void;
  /** The conversation began with it. */
  onBegun: (conversationId: string) => void;
  /** An event of a turn this page has not heard of. */
  onUnknownTurn: () => void;
  /** Something was said, so lists of conversations are out of date. */
  onChanged: () => void;
}

/** Takes what the server says about a conversation, over a socket or SSE alike, into its state. */
export class ReplyInbox {
  constructor(private readonly parts: InboxParts) {}

  frame(frame: WsServerFrame): void {
    switch (frame.type) {
      case 'ready':
      case 'pong':
        return;
      case 'error':
        this.#error(frame.problem, frame.idempotency_key);
        return;
      case 'accepted':
        this.parts.quotas.tell(frame.rate_limit ?? []);
        this.#acceptedFrame(frame);
        return;
      default:
        this.event(frame);
    }
  }

  event(event: ClientEvent): void {
    const { store, onUnknownTurn, onChanged } = this.parts;
    const turn = store.turnOf(event.message_id);
    if (!turn) {
      // A turn of another device whose `accepted` was missed: its words are in the history.
      onUnknownTurn();
      return;
    }
    store.changeTurn(turn.key, (known) => applyEvent(known, event, Date.now()));
    if (event.type === 'completed') onChanged();
  }

  /** An event that came over the turn's own SSE stream, where no frame says that it was accepted. */
  ownEvent(key: string, event: ClientEvent): void {
    if (this.parts.store.turn(key)?.messageId === null) {
      this.#accepted(key, event.message_id, event.conversation_id);
    }
    this.event(event);
  }

  /** A message was not taken. Used-up limits give the words back; anything else stands where the reply would be. */
  refused(key: string, problem: Problem): void {
    const { store, quotas } = this.parts;
    const turn = store.turn(key);
    if (!turn || isOver(turn.phase)) return;
    if (problem.code === 'quota_exceeded' && turn.messageId === null) {
      if (problem.limit) quotas.tell([problem.limit]);
      const seconds = problem.retry_after_seconds ?? problem.limit?.reset_seconds ?? 10;
      store.patch({ limited: { problem, untilMs: Date.now() + Math.max(1, seconds) * 1000 } });
      store.giveBack(turn);
      return;
    }
    store.changeTurn(key, (known) => ({ ...known, phase: 'failed', problem, problemAtMs: Date.now() }));
  }

  #acceptedFrame(frame: Extract<WsServerFrame, { type: 'accepted' }>): void {
    const { store, onChanged } = this.parts;
    const { turns } = store.state;
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
    store.patch({ turns: mergeHistory(turns, [turn]) });
    onChanged();
  }

  #accepted(key: string, messageId: string, conversationId: string): void {
    const { store, onAccepted, onBegun, onChanged } = this.parts;
    // Another device's view of the same turn may have come in first, through the history.
    const turns = store.state.turns.filter((turn) => turn.key === key || turn.messageId !== messageId);
    store.patch({ turns, limited: null });
    store.changeTurn(key, (turn) =>
      turn.messageId === null ? { ...turn, messageId, phase: isOver(turn.phase) ? turn.phase : 'accepted' } : turn,
    );
    if (store.state.id === null) {
      store.patch({ id: conversationId, history: 'ready' });
      onBegun(conversationId);
    }
    onChanged();
    onAccepted(key, messageId);
  }

  #error(problem: Problem, key: string | undefined): void {
    const { turns } = this.parts.store.state;
    const turn =
      turns.find((other) => other.idempotencyKey === key) ??
      (key === undefined ? turns.find((other) => other.phase === 'sending') : undefined);
    if (turn) this.refused(turn.key, problem);
  }
}
