import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { maxChatBytes, ProblemError, wsCloseCodes } from '@sidestage/contracts';
import type { TurnReadRepository } from '@sidestage/store';
import type { Canceller, LiveTurns } from '@sidestage/turns';
import { type WebSocket, WebSocketServer } from 'ws';
import type { ChatDependencies } from '../chat/chat-dependencies.js';
import type { Relay } from '../chat/relay.js';
import type { Submitter } from '../chat/submit.js';
import { restarting } from '../http/restarting.js';
import type { ConversationFeed } from './conversation-feed.js';
import { makeConversationFinder } from './conversation-finder.js';
import { type Handshake, makeHandshake, refuseUpgrade } from './handshake.js';
import { keepAlive } from './keep-alive.js';
import { makeOpenTurns } from './open-turns.js';
import { SocketSession } from './socket-session.js';

const tickMs = 1_000;
/** A client that does not answer our close is cut after this. */
const closeGraceMs = 2_000;

export interface SocketServer {
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** New handshakes are refused with 503. */
  stopAccepting(): void;
  /** Asks every client to reconnect (1012) and waits until they are gone. */
  close(): Promise<void>;
  connections(): number;
}

type SocketServerOptions = Pick<
  ChatDependencies,
  'config' | 'logger' | 'metrics' | 'authenticator' | 'limits' | 'origins'
> & {
  turns: TurnReadRepository;
  liveTurns: Pick<LiveTurns, 'find'>;
  submitter: Submitter;
  relay: Relay;
  canceller: Canceller;
  feed: ConversationFeed;
};

/** `/ws/{session_id}/{client_id}`. No compression: a deflate context costs 224 KiB a connection, measured. */
export function makeSocketServer(options: SocketServerOptions): SocketServer {
  const { config, logger, metrics, authenticator, feed } = options;
  const handshake = makeHandshake({ dependencies: options, findConversation: makeConversationFinder(options.turns) });
  const openTurns = makeOpenTurns(options.turns);
  const sessions = new Map<WebSocket, SocketSession>();
  let opening = 0;
  let accepting = true;
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: maxChatBytes,
    perMessageDeflate: false,
    handleProtocols: (offered) => (offered.has('sidestage') ? 'sidestage' : false),
  });

  function checkRoom(): void {
    if (!accepting) throw restarting();
    if (sessions.size + opening >= config.maxConnections)
      throw new ProblemError('overloaded', {
        detail: 'This gateway has as many connections as it may have.',
        retryAfterSeconds: 5,
        violatedPolicies: ['connections'],
      });
  }

  function begin(socket: WebSocket, shaken: Handshake): void {
    // A protocol error is followed by ws's own close with the right code; unheard it would end the process.
    socket.on('error', (error) => logger.debug({ err: error }, 'socket error'));
    const session = new SocketSession({ ...options, openTurns, socket, handshake: shaken });
    sessions.set(socket, session);
    metrics.wsConnections.set(sessions.size);
    socket.on('pong', () => {
      session.pingedAt = null;
      session.heardAt = performance.now();
    });
    socket.on('close', () => {
      sessions.delete(socket);
      metrics.wsConnections.set(sessions.size);
    });
  }

  async function upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    let room = false;
    try {
      checkRoom();
      opening++;
      room = true;
      const shaken = await handshake(request);
      if (socket.destroyed) return;
      server.handleUpgrade(request, socket, head, (opened) => begin(opened, shaken));
    } catch (error) {
      const problem = refuseUpgrade(request, socket, error);
      if (problem.code === 'internal') logger.error({ err: problem.options.cause ?? problem }, 'handshake failed');
    } finally {
      if (room) opening--;
    }
  }

  function lookAfter(socket: WebSocket, session: SocketSession, now: number): void {
    const { expiresAt } = session.principal;
    if (expiresAt !== null && expiresAt <= Date.now()) session.close(wsCloseCodes.unauthenticated);
    session.checkReader(now);
    const need = keepAlive(session, now);
    if (need === 'terminate') socket.terminate();
    if (need === 'ping') {
      session.pingedAt = now;
      socket.ping();
    }
    // Closing, and the other side does not answer.
    if (socket.readyState === socket.CLOSING && !closing.has(socket)) {
      closing.add(socket);
      setTimeout(() => socket.terminate(), closeGraceMs).unref();
    }
  }

  const closing = new WeakSet<WebSocket>();
  const ticker = setInterval(() => {
    const now = performance.now();
    for (const [socket, session] of sessions) lookAfter(socket, session, now);
  }, tickMs);
  ticker.unref();

  authenticator.onRevoked((subject) => {
    for (const session of sessions.values()) {
      const { id, sessionId } = session.principal;
      if (subject === id || (sessionId !== null && subject === `session:${sessionId}`))
        session.close(wsCloseCodes.unauthenticated);
    }
  });
  feed.onGap((since) => {
    for (const session of sessions.values()) session.showTurns(since);
  });

  return {
    handleUpgrade(request, socket, head) {
      socket.on('error', () => socket.destroy());
      void upgrade(request, socket, head);
    },
    stopAccepting: () => {
      accepting = false;
    },
    async close() {
      const gone = [...sessions.keys()].map((socket) => new Promise((resolve) => socket.once('close', resolve)));
      for (const session of sessions.values()) session.close(wsCloseCodes.restart);
      const cut = setTimeout(() => {
        for (const socket of sessions.keys()) socket.terminate();
      }, closeGraceMs);
      await Promise.all(gone);
      clearTimeout(cut);
      clearInterval(ticker);
    },
    connections: () => sessions.size,
  };
}
