import { problemOf } from '@sidestage/client';
import type { Problem } from '@sidestage/contracts';
import type { Gateway } from '../api/gateway.js';
import { mergeHistory, turnsOfHistory } from '../model/turn.js';
import type { ConversationStore } from './conversationStore.js';

/** Reading never makes a guest: whoever is not here has no conversations. */
const nobodyHere: Problem = { type: 'about:blank', title: 'Nobody is signed in', status: 404, code: 'not_found' };

/** What was said before: the newest page first, the pages above it as the reader scrolls up. */
export class ConversationHistory {
  #olderCursor: string | null = null;

  /** @param onLoaded after each page that may hold turns still running */
  constructor(
    private readonly store: ConversationStore,
    private readonly gateway: Gateway,
    private readonly onLoaded: () => void,
  ) {}

  /** The newest page; also what happened while the line was away. */
  async load(): Promise<void> {
    const { store } = this;
    const { id } = store.state;
    if (id === null) return;
    if (this.gateway.session.current === null) {
      store.patch({ history: 'failed', historyProblem: nobodyHere });
      return;
    }
    if (store.state.history !== 'ready') store.patch({ history: 'loading', historyProblem: null });
    try {
      const page = await this.gateway.messages(id, null);
      const first = store.state.history !== 'ready';
      if (first) this.#olderCursor = page.next_cursor;
      const turns = mergeHistory(store.state.turns, turnsOfHistory(page.items));
      store.patch({ turns, history: 'ready', ...(first && { older: page.next_cursor ? 'more' : 'none' }) });
      this.onLoaded();
    } catch (error) {
      if (store.state.history !== 'ready') store.patch({ history: 'failed', historyProblem: problemOf(error) });
    }
  }

  async loadOlder(): Promise<void> {
    const { store } = this;
    const { id, older } = store.state;
    if (id === null || older !== 'more' || this.#olderCursor === null) return;
    store.patch({ older: 'loading' });
    try {
      const page = await this.gateway.messages(id, this.#olderCursor);
      this.#olderCursor = page.next_cursor;
      const turns = mergeHistory(store.state.turns, turnsOfHistory(page.items));
      store.patch({ turns, older: page.next_cursor ? 'more' : 'none' });
    } catch {
      store.patch({ older: 'more' });
    }
  }
}
