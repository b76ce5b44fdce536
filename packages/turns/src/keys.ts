/**
 * Every Redis key and channel of this product, in one place. BullMQ's own keys live under `bull:` (its prefix is `queuePrefix`).
 * Keys of a tenant carry its id.
 */
export const keyPrefix = 'sidestage';
/** BullMQ's prefix. */
export const queuePrefix = `${keyPrefix}:bull`;

export const keys = {
  /** Stream of a generation's events; its entries are the numbered events. */
  replyStream: (generationId: string) => `${keyPrefix}:reply:${generationId}`,
  /** Hash {epoch, seq, ended}: what the append script guards. */
  replyState: (generationId: string) => `${keyPrefix}:reply-state:${generationId}`,
  /** Channel that carries a generation's events live. */
  replyChannel: (generationId: string) => `${keyPrefix}:reply-live:${generationId}`,
  /** Sorted set of accepted turns no worker has begun; score = order of acceptance. A turn's rank is its position. */
  waitingLine: () => `${keyPrefix}:waiting`,
  /** Hash: what the drain rate is computed from. */
  drainRate: () => `${keyPrefix}:drain-rate`,
  /** Counter of accepted turns of a principal in a window ('hour', 'minute'). */
  quota: (tenantId: string, principal: string, window: string) =>
    `${keyPrefix}:${tenantId}:quota:${window}:${principal}`,
  /** Sorted set of turn ids in flight; score = end of the lease, ms. */
  inFlight: (tenantId: string, principal: string) => `${keyPrefix}:${tenantId}:in-flight:${principal}`,
  /** Token bucket over all turns of a tenant. */
  tenantBucket: (tenantId: string) => `${keyPrefix}:${tenantId}:bucket`,
  /** What an accepted turn was charged, to give it back: hash {hour, minute}. */
  charge: (tenantId: string, turnId: string) => `${keyPrefix}:${tenantId}:charge:${turnId}`,
  /** Whose a turn under way is, and its generation: lets clients that come back in without Postgres. */
  liveTurn: (tenantId: string, turnId: string) => `${keyPrefix}:${tenantId}:live-turn:${turnId}`,
  /** Idempotency: turn id of a key, the fast answer before Postgres. */
  idempotency: (tenantId: string, scope: string) => `${keyPrefix}:${tenantId}:idempotency:${scope}`,
  /** Fixed window of requests by address or principal for routes that are not chat. */
  requestRate: (scope: string, who: string) => `${keyPrefix}:rate:${scope}:${who}`,
  /** One-time WebSocket ticket. */
  wsTicket: (ticketHash: string) => `${keyPrefix}:ws-ticket:${ticketHash}`,
  /** Requests to a model provider in the present minute, shared by all workers. */
  providerMinute: (provider: string) => `${keyPrefix}:provider:${provider}:minute`,
  /** Until when a provider asked for silence (429): ms since the epoch. */
  providerParked: (provider: string) => `${keyPrefix}:provider:${provider}:parked-until`,
  /** Passages found for a query: by creator and knowledge version. */
  context: (tenantId: string, creatorId: string, version: number, queryHash: string) =>
    `${keyPrefix}:${tenantId}:context:${creatorId}:${version}:${queryHash}`,
  /** Sorted set of the keys `context`; score = end of the entry, ms. Bounds how many there are. */
  contexts: () => `${keyPrefix}:contexts`,
  /** Hash: ids of the workers that live, each with how often it was looked for in vain. */
  workers: () => `${keyPrefix}:workers`,
  /** Hash: how the models stand, by worker. */
  modelReports: () => `${keyPrefix}:model-reports`,
  /** Held by the worker that looks after the others in this second. */
  workerWatch: () => `${keyPrefix}:worker-watch`,
  /** Set once a Redis has been filled from Postgres: gone after a wipe. */
  rebuilt: () => `${keyPrefix}:rebuilt`,
  /** Channel: a turn was accepted in a conversation; every device of its sessions shows it. */
  conversationChannel: (tenantId: string, conversationId: string) =>
    `${keyPrefix}:${tenantId}:conversation:${conversationId}`,
  /** Channel: something a gateway caches has changed (key revoked, policy, account). */
  invalidations: () => `${keyPrefix}:invalidations`,
} as const;
