import { GroupCommit } from '@sidestage/runtime';
import type { ConversationHead, TurnReadRepository } from '@sidestage/store';

/** A conversation of this tenant; null where there is none. Callers check the principal. */
export type ConversationFinder = (tenantId: string, conversationId: string) => Promise<ConversationHead | null>;

/** Asks for many at once: thousands of sockets that come back together must not become thousands of queries. */
export function makeConversationFinder(turns: Pick<TurnReadRepository, 'conversations'>): ConversationFinder {
  const group = new GroupCommit<{ tenantId: string; conversationId: string }, ConversationHead | null>({
    maxWaitMs: 5,
    maxItems: 500,
    concurrency: 2,
    async commit(wanted) {
      const found = new Map<string, ConversationHead>();
      for (const tenantId of new Set(wanted.map((one) => one.tenantId))) {
        const ids = wanted.filter((one) => one.tenantId === tenantId).map((one) => one.conversationId);
        for (const head of await turns.conversations(tenantId, [...new Set(ids)]))
          found.set(`${tenantId} ${head.id}`, head);
      }
      return wanted.map(({ tenantId, conversationId }) => found.get(`${tenantId} ${conversationId}`) ?? null);
    },
  });
  return (tenantId, conversationId) => group.add({ tenantId, conversationId });
}
