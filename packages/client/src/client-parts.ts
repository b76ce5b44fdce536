import type { LimitState } from '@sidestage/contracts';
import type { RoadMap } from './ladder.js';
import type { SocketConstructor } from './platform/socket-constructor.js';
import type { TransportKind } from './types.js';
import type { Backoff } from './wire/backoff.js';
import type { Credentials } from './wire/credentials.js';
import type { Gateways } from './wire/gateways.js';
import type { HttpClient } from './wire/http-client.js';

/** What all conversations of a client share. */
export interface ClientParts {
  gateways: Gateways;
  credentials: Credentials;
  http: HttpClient;
  roadMap: RoadMap;
  transports: readonly TransportKind[];
  WebSocket: SocketConstructor | undefined;
  clientId: string;
  random: () => number;
  backoff: Backoff;
  giveUpMs: number;
  onRateLimit: (limits: LimitState[]) => void;
}
