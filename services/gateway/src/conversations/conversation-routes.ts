import { type ConversationView, opaqueId, ProblemError, pageQuery, parseOrProblem } from '@sidestage/contracts';
import { route } from '@sidestage/runtime';
import type { ConversationRepository, ConversationRow } from '@sidestage/store';
import express, { type Router } from 'express';
import { z } from 'zod';
import { ownsCreator } from '../creators/access.js';
import type { CreatorFinder } from '../creators/creator-routes.js';
import { principalOf } from '../http/identify.js';
import { readableConversation } from './access.js';

export const listQuery = pageQuery.extend({ user_id: opaqueId.optional() });
/** `order=newest` begins with the last lines and pages back; lines within a page are oldest first either way. */
export const historyQuery = pageQuery.extend({ order: z.enum(['oldest', 'newest']).default('oldest') });

/** `/api/v1/conversations` and what hangs on them; a creator's conversations for its owner. */
export function conversationRouter(options: { conversations: ConversationRepository; find: CreatorFinder }): Router {
  const { conversations, find } = options;
  const router = express.Router();

  route(router, '/api/v1/conversations', {
    get: async (request, response) => {
      const principal = principalOf(request);
      const { user_id, ...query } = parseOrProblem(listQuery, request.query);
      const of = { principal: principal.id, ...(user_id !== undefined && { endUserId: user_id }) };
      const page = await conversations.list(principal.tenantId, of, query);
      response.json({ items: page.rows.map(toConversationView), next_cursor: page.next_cursor });
    },
  });
  route(router, '/api/v1/conversations/:id', {
    get: async (request, response) => {
      const { conversation } = await readableConversation(
        conversations,
        principalOf(request),
        String(request.params.id),
      );
      response.json(toConversationView(conversation));
    },
    delete: async (request, response) => {
      const principal = principalOf(request);
      const { conversation, as } = await readableConversation(conversations, principal, String(request.params.id));
      if (as !== 'fan')
        throw new ProblemError('forbidden', { detail: 'A conversation is deleted by the fan it belongs to.' });
      await conversations.remove(principal.tenantId, conversation.id, principal.id);
      response.status(204).end();
    },
  });
  route(router, '/api/v1/conversations/:id/messages', {
    get: async (request, response) => {
      const principal = principalOf(request);
      const query = parseOrProblem(historyQuery, request.query);
      const { conversation, as } = await readableConversation(conversations, principal, String(request.params.id));
      const withComments = as === 'owner';
      response.json(await conversations.messages(principal.tenantId, conversation.id, { ...query, withComments }));
    },
  });
  route(router, '/api/v1/creators/:id/conversations', {
    get: async (request, response) => {
      const principal = principalOf(request);
      const query = parseOrProblem(pageQuery, request.query);
      const { tenantId, creator } = await find.visible(request);
      if (!ownsCreator(principal, creator.owner_id))
        throw new ProblemError('forbidden', { detail: 'The conversations with a creator are read by its owner.' });
      const page = await conversations.listOfCreator(tenantId, creator.id, query);
      response.json({
        items: page.rows.map((row) => ({
          ...toConversationView(row),
          feedback: { up: row.feedback_up, down: row.feedback_down },
        })),
        next_cursor: page.next_cursor,
      });
    },
  });
  return router;
}

export function toConversationView(row: ConversationRow): ConversationView {
  return {
    id: row.id,
    creator_id: row.creator_id,
    title: row.title,
    user_id: row.end_user_id,
    created_at: row.created_at.toISOString(),
    last_message_at: row.last_message_at.toISOString(),
  };
}
