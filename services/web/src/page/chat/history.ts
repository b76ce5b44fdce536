import type { HistoryMessage } from '@sidestage/contracts';
import type { Gateway } from '../api/gateway.js';

export interface HistoryPage {
  messages: HistoryMessage[];
  /** For the page before this one; null at the beginning of the conversation. */
  olderCursor: string | null;
}

/** A page of history; `cursor` null is the newest page. Lines within a page are oldest first. */
export async function readHistory(
  gateway: Gateway,
  conversationId: string,
  cursor: string | null,
): Promise<HistoryPage> {
  const page = await gateway.messages(conversationId, cursor);
  return { messages: page.items, olderCursor: page.next_cursor };
}
