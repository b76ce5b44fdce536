import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { route, sendProblem, sleep, toProblemError, traceOf, watchRequest } from '@sidestage/runtime';
import { makeConversationRepository, makeTurnReadRepository, makeTurnRunRepository } from '@sidestage/store';
import { makeCanceller, makeLiveTurns } from '@sidestage/turns';
import express, { type RequestHandler, type Router } from 'express';
import type { Principal } from '../auth/principal.js';
import { clientAddress } from '../http/client-address.js';
import { restarting } from '../http/restarting.js';
import { rateLimitHeaders } from '../limits/request-limits.js';
import { makeConversationFeed } from '../ws/conversation-feed.js';
import { makeSocketServer } from '../ws/socket-server.js';
import { makeAnnouncer } from './announce.js';
import { setHeaders } from './answers.js';
import type { ChatDependencies } from './chat-dependencies.js';
import { makeChatRoute } from './chat-route.js';
import { type LegacyRoutes, makeLegacyRoutes } from './legacy-routes.js';
import { makeLimitsLeft } from './limits-left.js';
import { type MessageRoutes, makeMessageRoutes } from './message-routes.js';
import { makeQueuePositions } from './queue-positions.js';
import { makeRelay } from './relay.js';
import { makeSseStreams } from './sse-stream.js';
import { makeSubmitter } from './submit.js';

const chatPath = '/api/v1/chat';
/** Replies under way may then end for so long before waits get their 202 and streams are asked to come back. */
const drainMs = 3_000;
/** Then answers may take so long to be written. */
const farewellMs = 2_000;

export interface ChatModule {
  /** All chat routes; authenticates and reads bodies by itself. */
  router: Router;
  /** Whether this is `POST /api/v1/chat`, which `handle` answers without express's chain (measured: 1.36 times the turns a second). */
  isMessage(request: IncomingMessage): boolean;
  handle(request: IncomingMessage, response: ServerResponse): void;
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /**
   * Goes on as before until load balancers have seen that this gateway is not ready, then refuses what is new and lets replies under way end,
   * then asks every client to come back and closes what was opened.
   */
  drain(): Promise<void>;
  /** Open WebSockets. */
  connections(): number;
  /** Turns relayed now. */
  activeThreads(): number;
}

type Identify = (request: IncomingMessage, response: ServerResponse) => Promise<Principal>;

export function makeChatModule(dependencies: ChatDependencies): ChatModule {
  const { config, logger, metrics, database, redis, authenticator, limits } = dependencies;
  const { replyReader, replyWriter, waitingLine, dispatcher } = dependencies;
  const turns = makeTurnReadRepository(database);
  const conversations = makeConversationRepository(database);
  const streams = makeSseStreams();
  const positions = makeQueuePositions({ waitingLine, replyWriter, logger });
  const relay = makeRelay({ replyReader, turns, positions, metrics });
  const feed = makeConversationFeed({ redis, redisUrl: config.redisUrl, logger });
  const liveTurns = makeLiveTurns({ redis, logger });
  const announcer = makeAnnouncer({ replyWriter, dispatcher, feed, liveTurns, logger });
  const runs = makeTurnRunRepository(database.engine);
  const canceller = makeCanceller({ ...dependencies, turns, runs });
  const submitter = makeSubmitter({
    ...dependencies,
    turnDeadlineMs: config.turnDeadlineMs,
    turns,
    announcer,
    onRefused({ tier }, policy) {
      metrics.rateLimited.inc({ tier, policy });
      metrics.chatRequests.inc({ status: 'refused', tier });
    },
  });
  const chat = makeChatRoute({ submitter, relay, streams, waitingLine, ...config });
  const limitsLeft = makeLimitsLeft(dependencies);
  const messages = makeMessageRoutes({ ...dependencies, limitsLeft, turns, liveTurns, relay, streams, canceller });
  const sockets = makeSocketServer({ ...dependencies, turns, liveTurns, submitter, relay, canceller, feed });

  let leaving = false;
  const identifySender: Identify = async (request) => {
    if (leaving) throw restarting();
    return authenticator.authenticate(request.headers, clientAddress(request, config.trustProxyHops));
  };
  /** Requests that are no turns count against their own limit. */
  const identify: Identify = async (request, response) => {
    const principal = await identifySender(request, response);
    setHeaders(response, rateLimitHeaders('requests', await limits.countPrincipal(principal)));
    return principal;
  };
  /** Hands a message on. What refuses it took nothing, and says all the same what is left. */
  const sender =
    (handler: SendHandler): RequestHandlerOfNode =>
    async (request, response) => {
      const principal = await identifySender(request, response);
      try {
        await handler(request, response, principal);
      } catch (error) {
        const { status, options } = toProblemError(error);
        const isTold = status >= 500 || options.headers?.RateLimit !== undefined || response.headersSent;
        if (!isTold) setHeaders(response, await limitsLeft(principal));
        throw error;
      }
    };
  const legacy = makeLegacyRoutes({ dependencies, turns, conversations, chat, identify });
  const post = sender(chat.post);

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await post(request, response);
    } catch (error) {
      const problem = toProblemError(error);
      const { requestId } = traceOf(request);
      if (problem.status >= 500)
        logger.error(
          { err: problem.options.cause ?? problem, request_id: requestId, code: problem.code },
          'request error',
        );
      sendProblem(response, problem, requestId, chatPath);
    }
  }

  return {
    router: chatRouter({ post, messages, legacy, identify, sender, publicWebUrl: config.publicWebUrl }),
    isMessage: (request) => request.method === 'POST' && request.url?.split('?', 1)[0] === chatPath,
    handle(request, response) {
      const longLived = () => String(response.getHeader('Content-Type')).startsWith('text/event-stream');
      watchRequest(request, response, { logger, metrics, route: () => chatPath, longLived });
      response.setHeader('X-Content-Type-Options', 'nosniff');
      void answer(request, response);
    },
    handleUpgrade: (request, socket, head) => sockets.handleUpgrade(request, socket, head),
    async drain() {
      await sleep(config.drainNoticeMs);
      leaving = true;
      sockets.stopAccepting();
      await until(() => relay.active() === 0 && chat.answering() === 0, performance.now() + drainMs);
      chat.endWaits();
      streams.endAll();
      await sockets.close();
      await until(() => chat.answering() === 0, performance.now() + farewellMs);
      await announcer.drain();
      positions.close();
      streams.close();
      await feed.close();
    },
    connections: () => sockets.connections(),
    activeThreads: () => relay.active(),
  };
}

/** Waits for `done`, no longer than to a moment, ms (monotonic). */
async function until(done: () => boolean, limit: number): Promise<void> {
  while (!done() && performance.now() < limit) await sleep(25);
}

type RequestHandlerOfNode = (request: IncomingMessage, response: ServerResponse) => Promise<void>;
type SendHandler = (request: IncomingMessage, response: ServerResponse, principal: Principal) => Promise<void>;
type OwnHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  principal: Principal,
  id: string,
) => Promise<void>;

function chatRouter(options: {
  post: RequestHandlerOfNode;
  messages: MessageRoutes;
  legacy: LegacyRoutes;
  identify: Identify;
  sender: (handler: SendHandler) => RequestHandlerOfNode;
  publicWebUrl: string;
}): Router {
  const { messages, legacy, sender } = options;
  const router = express.Router();
  const own =
    (handler: OwnHandler): RequestHandler =>
    async (request, response) =>
      handler(request, response, await options.identify(request, response), String(request.params.id ?? ''));

  route(router, chatPath, { post: options.post });
  route(router, '/api/v1/messages/:id', { get: own(messages.get), delete: own(messages.cancel) });
  route(router, '/api/v1/messages/:id/events', { get: own(messages.events) });
  route(router, '/api/v1/messages/:id/feedback', { put: own(messages.feedback) });
  route(router, '/chat/session', { post: (request, response) => legacy.beginSession(request, response) });
  route(router, '/chat/session/:id', { get: own(legacy.session) });
  route(router, '/chat/message', { post: sender(legacy.sendToSession) });
  route(router, '/api/v2/chat/message', { post: sender(legacy.sendByChannel) });
  route(router, '/api/v2/chat/conversations/:id', { get: own(legacy.conversation) });
  // The page of the first system stood beside its API.
  route(router, '/chatbot', { get: (_request, response) => response.redirect(302, `${options.publicWebUrl}/`) });
  return router;
}
