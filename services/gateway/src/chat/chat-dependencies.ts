import type { Policy } from '@sidestage/contracts';
import type { Logger, Metrics, Redis } from '@sidestage/runtime';
import type { Database, TurnAcceptor, TurnSettler } from '@sidestage/store';
import type { Admission, AdmissionLedger, Dispatcher, ReplyReader, ReplyWriter, WaitingLine } from '@sidestage/turns';
import type { GuestMaker } from '../accounts/guest-maker.js';
import type { Authenticator } from '../auth/authenticate.js';
import type { GatewayConfig } from '../config.js';
import type { Origins } from '../http/origins.js';
import type { RequestLimits } from '../limits/request-limits.js';

/** What chat needs to know of a creator. */
export interface ChatCreator {
  id: string;
  /** The account that made it; null when a key did. */
  owner_id: string | null;
  public: boolean;
}

/** The settings chat reads. */
export type ChatConfig = Pick<
  GatewayConfig,
  | 'redisUrl'
  | 'publicWebUrl'
  | 'concurrencyLimit'
  | 'maxConnections'
  | 'requestTimeoutMs'
  | 'turnDeadlineMs'
  | 'drainNoticeMs'
  | 'trustProxyHops'
>;

export interface ChatDependencies {
  config: ChatConfig;
  logger: Logger;
  metrics: Metrics;
  database: Database;
  /** A request connection: fails fast. */
  redis: Redis;
  authenticator: Authenticator;
  policies: { of(tenantId: string): Promise<Policy> };
  creators: {
    find(tenantId: string, idOrSlug: string): Promise<ChatCreator | null>;
    /** The tenant's first creator. */
    first(tenantId: string): Promise<ChatCreator | null>;
  };
  limits: Pick<RequestLimits, 'countPrincipal'>;
  origins: Pick<Origins, 'allows'>;
  guests: GuestMaker;
  dispatcher: Dispatcher;
  replyWriter: ReplyWriter;
  replyReader: ReplyReader;
  waitingLine: WaitingLine;
  admission: Admission;
  ledger: AdmissionLedger;
  settler: Pick<TurnSettler, 'settle'>;
  acceptor: Pick<TurnAcceptor, 'accept'>;
}
