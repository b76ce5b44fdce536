import type { ClientEvent, Problem } from '@sidestage/contracts';
import type { QuotaStore } from '../api/quotaStore.js';
import { applyEvent, isOver, makeTurn, mergeHistory } from '../model/turn.js';
import type { ConversationStore } from './conversationStore.js';

export interface InboxParts {
  store: ConversationStore;
  quotas: QuotaStore;
  /** The conversation began with it. */
  onBegun: (conversationId: string) => void;
  /** Something was said, so lists of conversations are out of date. */
  onChanged: () => void;
}

/** Takes what the server says about a conversation into its state. */
export class ReplyInbox {
  constructor(private readonly parts: InboxParts) {}

  event(key: string, event: ClientEvent): void {
    const { store, onChanged } = this.parts;
    store.changeTurn(key, (known) => applyEvent(known, event, Date.now()));
    if (event.type === 'completed') onChanged();
  }

  /** The server has the turn and cannot lose it. */
  accepted(key: string, messageId: string, conversationId: string): void {
    const { store, onBegun, onChanged } = this.parts;
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
  }

  /** Another device began a turn. @returns the key it has here */
  fromElsewhere(messageId: string, fanText: string): string {
    const { store, onChanged } = this.parts;
    const turn = makeTurn({
      key: messageId,
      messageId,
      fanText,
      sentAtMs: Date.now(),
      phase: 'accepted',
      fromElsewhere: true,
    });
    store.patch({ turns: mergeHistory(store.state.turns, [turn]) });
    onChanged();
    return turn.key;
  }

  /** A message was not taken, or its reply not brought. Used-up limits give the words back; anything else stands where the reply would be. */
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
}
