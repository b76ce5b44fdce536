import type { Lifecycle, Logger, Metrics, Redis } from '@sidestage/runtime';
import {
  type Database,
  makeApiKeyRepository,
  makeConversationRepository,
  makeCreatorRepository,
  makeRefreshTokenRepository,
  makeRevocationRepository,
  makeSourceRepository,
  makeTenantRepository,
  makeUserRepository,
} from '@sidestage/store';
import type { RequestHandler, Router } from 'express';
import { accountRouter } from './accounts/account-routes.js';
import { type GuestMaker, makeGuestMaker } from './accounts/guest-maker.js';
import { startHousekeeping } from './accounts/housekeeping.js';
import { makeSessions } from './accounts/sessions.js';
import { adminRouter } from './admin/admin-routes.js';
import { makeAccessTokens } from './auth/access-tokens.js';
import { type Authenticator, makeAuthenticator } from './auth/authenticate.js';
import { makeInvalidations } from './auth/invalidations.js';
import { makeKeyLookup } from './auth/key-lookup.js';
import { makeRevokedCredentials } from './auth/revocations.js';
import { makeWsTickets, type WsTickets } from './auth/ws-tickets.js';
import type { GatewayConfig } from './config.js';
import { conversationRouter } from './conversations/conversation-routes.js';
import { type CreatorLookup, makeCreatorLookup } from './creators/creator-lookup.js';
import { creatorRouter, makeCreatorFinder } from './creators/creator-routes.js';
import { makeIdentify } from './http/identify.js';
import { makeOrigins, type Origins } from './http/origins.js';
import { makeTenantOf } from './http/tenant-of.js';
import { keyRouter } from './keys/key-routes.js';
import { makeFixedWindows } from './limits/fixed-windows.js';
import { makeRequestLimits, type RequestLimits } from './limits/request-limits.js';
import { meRouter } from './me/me-routes.js';
import { documentRouter } from './openapi/document-routes.js';
import { makePolicies, type Policies } from './policies/policies.js';
import { makeRetrievalClient, type RetrievalClient } from './search/retrieval-client.js';
import { searchRouter } from './search/search-routes.js';
import { makeIngestQueue } from './sources/ingest-queue.js';
import { sourceRouter } from './sources/source-routes.js';

/** Everything but chat, and what chat needs of it. */
export interface Platform {
  authenticator: Authenticator;
  tickets: WsTickets;
  guests: GuestMaker;
  limits: RequestLimits;
  policies: Policies;
  creators: CreatorLookup;
  origins: Origins;
  retrieval: RetrievalClient;
  identify: RequestHandler;
  routers: Router[];
  documents: Router;
}

/** Wires accounts, keys, creators, sources, search and conversations; what it acquires is released by `lifecycle`. */
export function makePlatform(parts: {
  config: GatewayConfig;
  logger: Logger;
  metrics: Metrics;
  redis: Redis;
  database: Database;
  lifecycle: Lifecycle;
}): Platform {
  const { config, logger, metrics, redis, database, lifecycle } = parts;
  const tenants = makeTenantRepository(database.engine);
  const users = makeUserRepository(database);
  const refreshTokens = makeRefreshTokenRepository(database.engine);
  const apiKeys = makeApiKeyRepository(database);
  const revocations = makeRevocationRepository(database.engine);
  const creatorRepository = makeCreatorRepository(database);

  const invalidations = makeInvalidations({ redisUrl: config.redisUrl, redis, logger });
  lifecycle.onClose('invalidations', () => invalidations.close());
  const revoked = makeRevokedCredentials({ repository: revocations, invalidations, logger });
  lifecycle.onClose('revocations', () => revoked.close());
  const origins = makeOrigins({ configured: config.origins, tenants, invalidations, logger });
  lifecycle.onClose('origins', () => origins.close());
  const ingest = makeIngestQueue({ redisUrl: config.redisUrl, logger });
  lifecycle.onClose('ingest queue', () => ingest.close());
  const retrieval = makeRetrievalClient({
    url: config.retrievalUrl,
    token: config.retrievalToken,
    breaker: config.breaker,
    logger,
    metrics,
  });
  lifecycle.onClose('retrieval', () => retrieval.close());

  const limits = makeRequestLimits({
    windows: makeFixedWindows({ redis, gateways: config.gateways, logger }),
    metrics,
    authPerMinute: config.authRatePerMinute,
    anonymousPerMinute: config.anonymousRatePerMinute,
  });
  const tokens = makeAccessTokens(config.jwtKey);
  const keys = makeKeyLookup(apiKeys);
  const tickets = makeWsTickets(redis);
  const authenticator = makeAuthenticator({ tokens, keys, tickets, revoked, limits });
  const housekeeping = startHousekeeping({ keys, apiKeys, users, refreshTokens, revocations, logger });
  lifecycle.onClose('housekeeping', () => housekeeping.stop());

  const policies = makePolicies({ tenants, invalidations, defaultPolicy: config.defaultPolicy });
  const creators = makeCreatorLookup({
    creators: creatorRepository,
    invalidations,
    cacheMs: config.configCacheMs,
  });
  const tenantOf = makeTenantOf(tenants);
  const find = makeCreatorFinder({ find: creators.find, tenantOf });
  const sessions = makeSessions({ users, refreshTokens, tokens, invalidations });
  const { guests, trustProxyHops } = config;
  return {
    authenticator,
    tickets,
    guests: makeGuestMaker({ sessions, tokens, limits, tenantOf, guests }),
    limits,
    policies,
    creators,
    origins,
    retrieval,
    identify: makeIdentify({ authenticator, limits, trustProxyHops }),
    routers: [
      accountRouter({ sessions, authenticator, limits, tenantOf, guests, trustProxyHops }),
      meRouter({ users, invalidations, tickets }),
      keyRouter({ apiKeys, invalidations }),
      adminRouter({
        tenants,
        apiKeys,
        engine: database.engine,
        invalidations,
        defaultPolicy: config.defaultPolicy,
      }),
      creatorRouter({ creators: creatorRepository, invalidations, tenantOf, retrieval, find }),
      sourceRouter({
        sources: makeSourceRepository(database),
        creators,
        find,
        tenantOf,
        ingest,
        retrieval,
        invalidations,
      }),
      searchRouter({ find, retrieval }),
      conversationRouter({ conversations: makeConversationRepository(database), find }),
    ],
    documents: documentRouter(),
  };
}
