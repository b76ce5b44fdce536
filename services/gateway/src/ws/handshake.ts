import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { opaqueId, ProblemError, parseOrProblem } from '@sidestage/contracts';
import { isUuid, sendProblem, toProblemError, traceOf } from '@sidestage/runtime';
import { z } from 'zod';
import type { Principal } from '../auth/principal.js';
import type { ChatDependencies } from '../chat/chat-dependencies.js';
import { clientAddress } from '../http/client-address.js';
import { Budget } from './budget.js';
import type { ConversationFinder } from './conversation-finder.js';

/** Who opened a socket, and for which conversation. */
export interface Handshake {
  principal: Principal;
  sessionId: string;
  clientId: string;
  /** Null for a session that is `new`. */
  conversation: { id: string; creatorId: string } | null;
  /** How many turns the device has said that it will resume; null where it has said nothing. */
  resumes: number | null;
  /** Of the upgrade's request; the trace that the session's turns belong to. */
  traceparent: string | null;
}

/** Handshakes of this gateway a second on average, and at once: after another gateway's end everybody comes back in the same moment. */
const handshakes = { perSecond: 300, burst: 1_000 };
const pathSchema = z.object({ session_id: opaqueId, client_id: opaqueId });
const querySchema = z.object({
  resumes: z.coerce
    .number('must be a number of turns, 0 to 500')
    .int('must be a whole number')
    .min(0, 'must be 0 or more')
    .max(500, 'must be at most 500')
    .nullable(),
});
const tokenPrefix = 'bearer.';

function readPath(request: IncomingMessage): z.infer<typeof pathSchema> {
  const match = /^\/ws\/([^/]+)\/([^/]+)\/?$/.exec(request.url?.split('?', 1)[0] ?? '');
  if (!match) throw new ProblemError('not_found', { detail: 'Sockets are at /ws/{session_id}/{client_id}.' });
  const [, session = '', client = ''] = match;
  return parseOrProblem(pathSchema, { session_id: decodeURIComponent(session), client_id: decodeURIComponent(client) });
}

function queryOf(request: IncomingMessage): URLSearchParams {
  return new URLSearchParams(request.url?.split('?')[1] ?? '');
}

/** The token among the subprotocols `sidestage, bearer.<token>`; null without. */
function tokenOf(request: IncomingMessage): string | null {
  const offered = String(request.headers['sec-websocket-protocol'] ?? '').split(',');
  const bearer = offered.map((protocol) => protocol.trim()).find((protocol) => protocol.startsWith(tokenPrefix));
  return bearer ? bearer.slice(tokenPrefix.length) : null;
}

/** Checks everything before the upgrade. Throws ProblemError: 401, 403, 404, 422, 429 or 503. */
export function makeHandshake(options: {
  dependencies: Pick<ChatDependencies, 'authenticator' | 'limits' | 'origins' | 'config'>;
  findConversation: ConversationFinder;
  /** Milliseconds; default the monotonic clock. */
  now?: () => number;
}) {
  const { authenticator, limits, origins, config } = options.dependencies;
  const budget = new Budget(handshakes.perSecond, handshakes.burst, options.now);

  function authenticate(request: IncomingMessage): Promise<Principal> {
    const address = clientAddress(request, config.trustProxyHops);
    const ticket = queryOf(request).get('ticket');
    if (ticket !== null) return authenticator.redeemTicket(ticket, address);
    const token = tokenOf(request);
    if (token === null) return authenticator.authenticate(request.headers, address);
    const { 'x-tenant-id': tenant } = request.headers;
    const headers = { authorization: `Bearer ${token}`, ...(tenant !== undefined && { 'x-tenant-id': tenant }) };
    return authenticator.authenticate(headers, address);
  }

  async function findConversation(principal: Principal, sessionId: string): Promise<Handshake['conversation']> {
    if (sessionId === 'new') return null;
    const head = isUuid(sessionId) ? await options.findConversation(principal.tenantId, sessionId) : null;
    if (head?.principal !== principal.id)
      throw new ProblemError('not_found', { detail: 'There is no such conversation; connect to /ws/new/{client_id}.' });
    return { id: head.id, creatorId: head.creator_id };
  }

  return async (request: IncomingMessage): Promise<Handshake> => {
    if (!budget.take(1))
      throw new ProblemError('overloaded', {
        detail: 'Too many connect in the same moment; connect again.',
        retryAfterSeconds: 1 + Math.floor(3 * Math.random()),
        violatedPolicies: ['handshakes'],
      });
    const { session_id: sessionId, client_id: clientId } = readPath(request);
    const { resumes } = parseOrProblem(querySchema, { resumes: queryOf(request).get('resumes') });
    const { origin } = request.headers;
    // Only browsers send one, and a browser's page may be anybody's.
    if (origin !== undefined && !origins.allows(origin))
      throw new ProblemError('origin_refused', { detail: `Pages of ${origin.slice(0, 200)} may not connect here.` });
    const principal = await authenticate(request);
    await limits.countPrincipal(principal);
    const conversation = await findConversation(principal, sessionId).catch((error: unknown) => {
      if (error instanceof ProblemError) throw error;
      throw new ProblemError('unavailable', { detail: 'The conversation cannot be read now.', cause: error });
    });
    return { principal, sessionId, clientId, conversation, resumes, traceparent: traceOf(request).traceparent ?? null };
  };
}

/** Answers an upgrade as plain HTTP with a problem. */
export function refuseUpgrade(request: IncomingMessage, socket: Duplex, error: unknown): ProblemError {
  const problem = toProblemError(error);
  const { requestId } = traceOf(request);
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket as Socket);
  response.setHeader('X-Request-ID', requestId);
  response.on('finish', () => {
    response.detachSocket(socket as Socket);
    socket.end();
  });
  sendProblem(response, problem, requestId, request.url?.split('?', 1)[0]);
  return problem;
}
