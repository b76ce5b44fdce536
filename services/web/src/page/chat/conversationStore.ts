import type { Link } from '@sidestage/client';
import type { Problem } from '@sidestage/contracts';
import type { Turn } from '../model/turn.js';

export interface Limited {
  problem: Problem;
  untilMs: number;
}

export interface ConversationState {
  /** null until the first message is accepted. */
  id: string | null;
  turns: Turn[];
  link: Link;
  online: boolean;
  history: 'none' | 'loading' | 'ready' | 'failed';
  historyProblem: Problem | null;
  older: 'none' | 'more' | 'loading';
  limited: Limited | null;
  /** Words given back because they could not be sent; the composer takes them. */
  returned: string | null;
}

/** It was deleted, or is somebody else's. */
export function isGone({ history, historyProblem, turns }: ConversationState): boolean {
  return history === 'failed' && historyProblem?.code === 'not_found' && turns.length === 0;
}

/** What is known of one conversation. Every change makes a new state, which is all that React looks at. */
export class ConversationStore {
  #state: ConversationState;
  #listeners = new Set<() => void>();

  constructor(id: string | null, online: boolean) {
    this.#state = {
      id,
      turns: [],
      link: 'idle',
      online,
      history: id === null ? 'none' : 'loading',
      historyProblem: null,
      older: 'none',
      limited: null,
      returned: null,
    };
  }

  get state(): ConversationState {
    return this.#state;
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  patch(part: Partial<ConversationState>): void {
    this.#state = { ...this.#state, ...part };
    for (const listener of this.#listeners) listener();
  }

  turn(key: string): Turn | undefined {
    return this.#state.turns.find((turn) => turn.key === key);
  }

  turnOf(messageId: string): Turn | undefined {
    return this.#state.turns.find((turn) => turn.messageId === messageId);
  }

  /** Nobody is told where `change` leaves the turn as it is. */
  changeTurn(key: string, change: (turn: Turn) => Turn): void {
    let changed = false;
    const turns = this.#state.turns.map((turn) => {
      if (turn.key !== key) return turn;
      const next = change(turn);
      changed ||= next !== turn;
      return next;
    });
    if (changed) this.patch({ turns });
  }

  /** Takes a turn away and hands its words back to the composer. */
  giveBack(turn: Turn): void {
    const words = [this.#state.returned, turn.fanText].filter(Boolean).join('\n');
    this.patch({ turns: this.#state.turns.filter((other) => other.key !== turn.key), returned: words });
  }
}
