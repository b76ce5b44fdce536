import { ProblemError } from '@sidestage/contracts';
import { isUuid } from '@sidestage/runtime';
import type { ConversationRepository, OwnedConversationRow } from '@sidestage/store';
import type { Principal } from '../auth/principal.js';
import { ownsCreator } from '../creators/access.js';

export interface ReadableConversation {
  conversation: OwnedConversationRow;
  /** `fan`: it is the principal's own. `owner`: they own the creator it is with. */
  as: 'fan' | 'owner';
}

/**
 * The conversation `id`, if `principal` may read it: their own (account or key), or one with a creator of theirs.
 * Throws `not_found` otherwise, whatever the reason.
 */
export async function readableConversation(
  conversations: Pick<ConversationRepository, 'find'>,
  principal: Principal,
  id: string,
): Promise<ReadableConversation> {
  const conversation = isUuid(id) ? await conversations.find(principal.tenantId, id) : null;
  if (conversation?.principal === principal.id) return { conversation, as: 'fan' };
  if (conversation && ownsCreator(principal, conversation.creator_owner_id)) return { conversation, as: 'owner' };
  throw new ProblemError('not_found', { detail: 'There is no such conversation.' });
}
