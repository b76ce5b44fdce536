import type { IncomingMessage, ServerResponse } from 'node:http';
import { maxChatBytes, messageText, opaqueId, ProblemError, parseOrProblem } from '@sidestage/contracts';
import { makeId, traceOf } from '@sidestage/runtime';
import type { ConversationRepository, TurnReadRepository } from '@sidestage/store';
import { z } from 'zod';
import { hasCredential } from '../auth/authenticate.js';
import type { Principal } from '../auth/principal.js';
import { readableConversation } from '../conversations/access.js';
import { toConversationView } from '../conversations/conversation-routes.js';
import { clientAddress } from '../http/client-address.js';
import { rateLimitHeaders } from '../limits/request-limits.js';
import { sendJson, setHeaders } from './answers.js';
import type { ChatDependencies } from './chat-dependencies.js';
import type { ChatRoute } from './chat-route.js';
import { readIdempotencyKey } from './idempotency.js';
import { readJson } from './read-json.js';
import { findCreator } from './submit.js';

export const sessionBody = z.object({ creator_id: opaqueId.optional(), user_id: opaqueId.optional() });
export const sessionMessageBody = z.object({ session_id: opaqueId, message: messageText });
export const channelMessageBody = z.object({
  user_id: opaqueId,
  channel: z.literal('web', 'only `web` is served until channels exist'),
  content: z.object({ type: z.literal('text', 'only `text` is served until channels exist'), text: messageText }),
  creator_id: opaqueId.optional(),
  conversation_id: opaqueId.optional(),
});
/** Lines of history that the older calls answer with. */
const historyLines = 100;

export interface LegacyRouteOptions {
  dependencies: Pick<ChatDependencies, 'config' | 'creators' | 'guests'>;
  turns: TurnReadRepository;
  conversations: Pick<ConversationRepository, 'find' | 'messages'>;
  chat: ChatRoute;
  identify(request: IncomingMessage, response: ServerResponse): Promise<Principal>;
}

/** The calls of the systems this one replaces, on top of the chat route. */
export function makeLegacyRoutes({ dependencies, turns, conversations, chat, identify }: LegacyRouteOptions) {
  const { config, creators, guests } = dependencies;

  /** Without a credential a guest is made; its token goes back with the session. */
  async function identifyOrGuest(
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<{ principal: Principal; token?: string }> {
    if (hasCredential(request.headers)) return { principal: await identify(request, response) };
    const { limit, ...guest } = await guests.begin(request.headers, clientAddress(request, config.trustProxyHops));
    setHeaders(response, rateLimitHeaders('auth_address', limit));
    return guest;
  }

  async function history(principal: Principal, id: string) {
    const { conversation } = await readableConversation(conversations, principal, id);
    const { items } = await conversations.messages(principal.tenantId, conversation.id, {
      limit: historyLines,
      order: 'newest',
      withComments: false,
    });
    return { conversation, messages: items };
  }

  return {
    /** `POST /chat/session` */
    async beginSession(request: IncomingMessage, response: ServerResponse): Promise<void> {
      const body = parseOrProblem(sessionBody, await readJson(request, maxChatBytes));
      const { principal, token } = await identifyOrGuest(request, response);
      const creator = await findCreator(creators, principal, body.creator_id ?? null);
      const sessionId = makeId();
      await turns.openConversation({
        id: sessionId,
        tenant_id: principal.tenantId,
        principal: principal.id,
        end_user_id: principal.role === 'integrator' ? (body.user_id ?? '') : '',
        creator_id: creator.id,
        title: 'New conversation',
      });
      sendJson(response, 201, { session_id: sessionId, creator_id: creator.id, ...(token && { token }) });
    },

    /** `POST /chat/message` */
    async sendToSession(request: IncomingMessage, response: ServerResponse, principal: Principal): Promise<void> {
      const body = parseOrProblem(sessionMessageBody, await readJson(request, maxChatBytes));
      const { conversation, as } = await readableConversation(conversations, principal, body.session_id);
      if (as !== 'fan') throw new ProblemError('not_found', { detail: 'There is no such session.' });
      const { requestId, traceparent } = traceOf(request);
      await chat.answerMessage(request, response, principal, {
        message: body.message,
        creatorId: conversation.creator_id,
        conversationId: conversation.id,
        userId: conversation.end_user_id,
        videoUrl: null,
        idempotencyKey: readIdempotencyKey(request.headers['idempotency-key']),
        requestId,
        traceparent: traceparent ?? null,
        socketId: null,
      });
    },

    /** `GET /chat/session/{id}` */
    async session(
      _request: IncomingMessage,
      response: ServerResponse,
      principal: Principal,
      id: string,
    ): Promise<void> {
      const { conversation, messages } = await history(principal, id);
      sendJson(response, 200, {
        session_id: conversation.id,
        creator_id: conversation.creator_id,
        created_at: conversation.created_at.toISOString(),
        messages,
      });
    },

    /** `POST /api/v2/chat/message`: an end user has one conversation with a creator, unless another is named. */
    async sendByChannel(request: IncomingMessage, response: ServerResponse, principal: Principal): Promise<void> {
      const body = parseOrProblem(channelMessageBody, await readJson(request, maxChatBytes));
      const creator = await findCreator(creators, principal, body.creator_id ?? null);
      const { requestId, traceparent } = traceOf(request);
      await chat.answerMessage(request, response, principal, {
        message: body.content.text,
        creatorId: creator.id,
        conversationId: body.conversation_id ?? 'latest',
        userId: body.user_id,
        videoUrl: null,
        idempotencyKey: readIdempotencyKey(request.headers['idempotency-key']),
        requestId,
        traceparent: traceparent ?? null,
        socketId: null,
      });
    },

    /** `GET /api/v2/chat/conversations/{id}` */
    async conversation(
      _request: IncomingMessage,
      response: ServerResponse,
      principal: Principal,
      id: string,
    ): Promise<void> {
      const { conversation, messages } = await history(principal, id);
      sendJson(response, 200, { ...toConversationView(conversation), messages });
    },
  };
}
export type LegacyRoutes = ReturnType<typeof makeLegacyRoutes>;
