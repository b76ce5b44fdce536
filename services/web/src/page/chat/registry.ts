import type { Gateway } from '../api/gateway.js';
import { makeId } from '../model/ids.js';
import { Conversation } from './conversation.js';

/**
 * The conversations this tab has opened. One that began without an id stays the same object when it gets one, so nothing on the page is torn
 * down at that moment.
 */
export class ConversationRegistry {
  #known = new Map<string, Conversation>();
  #clientId = makeId();
  /** Told when a new conversation has got its id: its address on the page changes. */
  onIdKnown: (conversation: Conversation, id: string) => void = () => undefined;

  constructor(
    private readonly gateway: Gateway,
    private readonly onChanged: () => void,
  ) {}

  /** @param id null for the conversation with this creator that has not begun */
  get(creator: string, id: string | null): Conversation {
    const key = id ?? `new:${creator}`;
    const known = this.#known.get(key);
    if (known) return known;
    const made = new Conversation({
      gateway: this.gateway,
      creator,
      id,
      clientId: this.#clientId,
      onChanged: this.onChanged,
      onIdKnown: (conversation, newId) => {
        this.#known.delete(key);
        this.#known.set(newId, conversation);
        this.onIdKnown(conversation, newId);
      },
    });
    this.#known.set(key, made);
    return made;
  }

  forget(id: string): void {
    this.#known.delete(id);
  }

  /** Somebody else is here now. */
  clear(): void {
    this.#known.clear();
  }
}
