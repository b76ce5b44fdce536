import type { Sidestage } from '@sidestage/client';
import type { Gateway } from '../api/gateway.js';
import { Conversation } from './conversation.js';

/**
 * The conversations this tab has opened. One that began without an id stays the same object when it gets one, so nothing on the page is torn
 * down at that moment. It is also found without its id until the page's address carries it: the answer may be quicker than the page.
 */
export class ConversationRegistry {
  #known = new Map<string, Conversation>();
  #userId: string | null;

  constructor(
    private readonly gateway: Gateway,
    private readonly sidestage: Sidestage,
    private readonly onChanged: () => void,
  ) {
    this.#userId = userIdOf(gateway);
    gateway.session.subscribe(() => this.#onSession());
  }

  /** @param id null for the conversation with this creator that has not begun */
  get(creator: string, id: string | null): Conversation {
    return this.#known.get(id ?? unbegun(creator)) ?? this.#make(creator, id);
  }

  /** A new conversation, whatever else has begun with this creator. */
  begin(creator: string): Conversation {
    return this.#make(creator, null);
  }

  /** The page's address carries the id now: the next conversation with this creator is another one. */
  settle(conversation: Conversation): void {
    const key = unbegun(conversation.creator);
    if (this.#known.get(key) === conversation) this.#known.delete(key);
  }

  /** It was deleted. */
  forget(id: string): void {
    this.#known.get(id)?.end();
    this.#known.delete(id);
  }

  /**
   * Somebody else is here now: what the one before said must not stay, nor a line come back and make a guest. Somebody who was nobody
   * keeps what they begin with, but not what could not be read without them.
   */
  #onSession(): void {
    const before = this.#userId;
    this.#userId = userIdOf(this.gateway);
    if (before === this.#userId) return;
    for (const [key, conversation] of this.#known) {
      if (before === null && conversation.state.history !== 'failed') continue;
      conversation.end();
      this.#known.delete(key);
    }
  }

  #make(creator: string, id: string | null): Conversation {
    const made = new Conversation({
      gateway: this.gateway,
      creator,
      id,
      sidestage: this.sidestage,
      onChanged: this.onChanged,
      onIdKnown: (conversation, newId) => this.#known.set(newId, conversation),
    });
    this.#known.set(id ?? unbegun(creator), made);
    return made;
  }
}

function userIdOf({ session }: Gateway): string | null {
  return session.current?.user.id ?? null;
}

function unbegun(creator: string): string {
  return `new:${creator}`;
}
