import { PlatformWebSocket } from '#websocket';
import type { ClientParts } from './client-parts.js';
import { LiveConversation } from './conversation.js';
import { RoadMap } from './ladder.js';
import { makeId } from './platform/ids.js';
import type { Conversation, ConversationOptions, Sidestage, SidestageOptions, TransportKind } from './types.js';
import { defaultBackoff } from './wire/backoff.js';
import { Credentials } from './wire/credentials.js';
import { Gateways } from './wire/gateways.js';
import { HttpClient } from './wire/http-client.js';

const allTransports: readonly TransportKind[] = ['ws', 'sse', 'post'];
const defaultGiveUpMs = 120_000;

/**
 * The client of one fleet and one credential. Nothing is connected before the first message or `connect`.
 * @throws TypeError for an address that is none, or transports that leave nothing
 */
export function makeSidestage(options: SidestageOptions): Sidestage {
  const parts = makeParts(options);
  const open = new Set<LiveConversation>();

  function conversation(wanted: ConversationOptions): Conversation {
    const made: LiveConversation = new LiveConversation(parts, wanted, () => open.delete(made));
    open.add(made);
    return made;
  }

  return {
    conversation,
    chat(creatorId, message, { videoUrl, idempotencyKey, ...where } = {}) {
      const alone = conversation({ ...where, creatorId });
      const turn = alone.send(message, { videoUrl, idempotencyKey });
      const close = () => void alone.close();
      turn.reply.then(close, close);
      return turn;
    },
    async close() {
      await Promise.all([...open].map((each) => each.close()));
    },
  };
}

function makeParts(options: SidestageOptions): ClientParts {
  const { url, credential, transports = allTransports, onRateLimit = () => undefined } = options;
  const gateways = new Gateways(url);
  const credentials = new Credentials(credential);
  const WebSocket = options.WebSocket ?? PlatformWebSocket;
  const possible = WebSocket ? transports : transports.filter((kind) => kind !== 'ws');
  if (possible.length === 0) throw new TypeError('transports: leaves none that this platform has');
  // Called as a function of its own: browsers refuse `fetch` with another `this`.
  const { fetch = (...call: Parameters<typeof globalThis.fetch>) => globalThis.fetch(...call) } = options;
  return {
    gateways,
    credentials,
    http: new HttpClient({ gateways, credentials, fetch, onRateLimit }),
    roadMap: new RoadMap(),
    transports: possible,
    WebSocket,
    clientId: options.clientId ?? makeId(),
    random: options.random ?? Math.random,
    backoff: { ...defaultBackoff, ...options.backoff },
    giveUpMs: options.giveUpMs ?? defaultGiveUpMs,
    onRateLimit,
  };
}
