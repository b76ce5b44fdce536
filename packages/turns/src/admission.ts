import { types } from 'node:util';
import { type LimitState, ProblemError, type TierPolicy } from '@sidestage/contracts';
import type { Logger } from '@sidestage/runtime';
import type { Redis } from 'ioredis';
import { FallbackAdmission } from './admission-fallback.js';
import { type AdmitAnswer, admissionScripts } from './admission-script.js';
import { keys } from './keys.js';
import type { Admission, AdmissionLedger, AdmissionRequest, AdmissionResult } from './ports.js';
import { etaMs } from './waiting-line.js';

export interface AdmissionOptions {
  /** A request connection: fails fast. */
  redis: Redis;
  logger: Logger;
  /** Gateways that share the tiers' limits while Redis is away. Default 1. */
  gateways?: number;
}

/** After a failure Redis is left alone for this long: a frozen server costs one request its timeout, not all of them. */
const restMs = 500;
/** A turn that is open past its deadline ends soon after: leases rebuilt from Postgres last this much longer. Milliseconds. */
const leaseSlackMs = 10_000;
const inFlightWaitMs = { least: 1_000, unknown: 2_000, most: 30_000 };

/** How fast a backlog drains may change: nobody is sent away for longer. Milliseconds. */
const longestBacklogWaitMs = 60_000;

function ownKeys(tenantId: string, principal: string): string[] {
  return [
    keys.quota(tenantId, principal, 'hour'),
    keys.quota(tenantId, principal, 'minute'),
    keys.inFlight(tenantId, principal),
    keys.tenantBucket(tenantId),
    keys.waitingLine(),
  ];
}

function limitStates(
  limits: TierPolicy,
  [hourUsed, hourLeft, minuteUsed, minuteLeft]: readonly [number, number, number, number],
): LimitState[] {
  const state = (policy: string, limit: number, used: number, leftMs: number): LimitState => ({
    policy,
    limit,
    remaining: Math.max(0, limit - used),
    reset_seconds: Math.max(1, Math.ceil(leftMs / 1000)),
  });
  return [
    state('hour', limits.per_hour, hourUsed, hourLeft),
    state('minute', limits.per_minute, minuteUsed, minuteLeft),
  ];
}

/** Redis is there and refuses to hold more (`noeviction`): a turn accepted now could not be queued for long. */
function isFull(error: unknown): boolean {
  return types.isNativeError(error) && error.message.startsWith('OOM ');
}

/** The policy that holds longest is the one to name: coming back when another ends would be refused again. */
function refusal(request: AdmissionRequest, answer: Exclude<AdmitAnswer, ['repeated', string]>): AdmissionResult {
  const [, hourUsed, hourLeft, minuteUsed, minuteLeft, inFlight, bucketWait, , starts, busyMs, backlogWait] = answer;
  const { limits } = request;
  const waits: [Extract<AdmissionResult, { kind: 'refused' }>['policy'], number][] = [];
  if (hourUsed >= limits.per_hour) waits.push(['hour', hourLeft]);
  if (minuteUsed >= limits.per_minute) waits.push(['minute', minuteLeft]);
  if (bucketWait > 0) waits.push(['tenant', bucketWait]);
  if (backlogWait > 0) waits.push(['backlog', Math.min(backlogWait, longestBacklogWaitMs)]);
  if (inFlight >= limits.in_flight) {
    const drain = etaMs(1, starts, busyMs) ?? inFlightWaitMs.unknown;
    waits.push(['in_flight', Math.min(inFlightWaitMs.most, Math.max(inFlightWaitMs.least, drain))]);
  }
  const [policy, retryMs] = waits.sort((a, b) => b[1] - a[1])[0] ?? ['in_flight', inFlightWaitMs.unknown];
  return {
    kind: 'refused',
    policy,
    retry_after_ms: retryMs,
    limits: limitStates(limits, [hourUsed, hourLeft, minuteUsed, minuteLeft]),
  };
}

/**
 * Admission by one script in Redis. Fails open, within bounds: while Redis is away a limiter of this process decides with the tier's share,
 * and turns are accepted without a position. Each outage is one line in the log. A Redis that is full refuses: `overloaded`.
 */
export function makeAdmission({ redis, logger, gateways = 1 }: AdmissionOptions): Admission {
  const scripts = admissionScripts(redis);
  const fallback = new FallbackAdmission(gateways);
  let restUntil = 0;
  let down = false;

  /** Runs on Redis, or gives null where it cannot be asked. */
  async function ask<T>(run: () => Promise<T>): Promise<T | null> {
    if (performance.now() < restUntil) return null;
    try {
      const answer = await run();
      if (down) {
        down = false;
        fallback.clear();
        logger.info('redis admits again');
      }
      return answer;
    } catch (error) {
      if (isFull(error))
        throw new ProblemError('overloaded', {
          detail: 'The queue has no room at the moment. Nothing was kept; please send it again.',
          retryAfterSeconds: 5,
          violatedPolicies: ['queue_memory'],
          cause: error,
        });
      restUntil = performance.now() + restMs;
      if (!down) logger.warn({ err: error }, 'redis cannot admit, limits are those of this process');
      down = true;
      return null;
    }
  }

  const idempotencyKey = (request: AdmissionRequest) =>
    keys.idempotency(request.tenant_id, request.idempotency_scope ?? '');

  async function giveBack(request: AdmissionRequest): Promise<void> {
    const { turn_id, tenant_id, principal } = request;
    const ended = scripts.sidestageEndTurn(
      ...ownKeys(tenant_id, principal),
      keys.charge(tenant_id, turn_id),
      turn_id,
      'all',
    );
    const forgotten = request.idempotency_scope && scripts.sidestageForgetKey(idempotencyKey(request), turn_id);
    // What cannot be given back now ends with its lease and its window.
    await Promise.allSettled([ended, forgotten]);
  }

  return {
    async admit(request) {
      const { turn_id, tenant_id, principal, limits, tenant_limit } = request;
      const resting = performance.now() < restUntil;
      const answer = await ask(() =>
        scripts.sidestageAdmit(
          ...ownKeys(tenant_id, principal),
          keys.drainRate(),
          keys.charge(tenant_id, turn_id),
          idempotencyKey(request),
          turn_id,
          limits.per_hour,
          limits.per_minute,
          limits.in_flight,
          request.lease_until,
          tenant_limit.per_minute,
          tenant_limit.burst,
          request.idempotency_scope === null ? 0 : 1,
        ),
      );
      if (answer === null) {
        const decided = fallback.admit(request);
        // A frozen Redis still runs what it was sent once it thaws: a turn refused here must not hold a lease there.
        if (decided.kind === 'refused' && !resting) void giveBack(request);
        return decided;
      }
      if (answer[0] === 'repeated') return { kind: 'repeated', turn_id: answer[1] };
      if (answer[0] === 'refused') return refusal(request, answer);
      const [, hourUsed, hourLeft, minuteUsed, minuteLeft, , , position, starts, busyMs] = answer;
      return {
        kind: 'admitted',
        limits: limitStates(limits, [hourUsed, hourLeft, minuteUsed, minuteLeft]),
        position,
        eta_ms: etaMs(position, starts, busyMs),
      };
    },

    async withdraw(request) {
      fallback.withdraw(request);
      await giveBack(request);
    },

    async peek({ tenant_id, principal, limits }) {
      const [hour = '', minute = ''] = ownKeys(tenant_id, principal);
      const answer = await ask(() => scripts.sidestagePeek(hour, minute));
      return answer ? limitStates(limits, answer) : fallback.peek({ tenant_id, principal, limits });
    },
  };
}

/** Where turns end: leases end with them, and quota goes back (refundOf). */
export function makeAdmissionLedger({ redis, logger }: { redis: Redis; logger: Logger }): AdmissionLedger {
  const scripts = admissionScripts(redis);
  return {
    async ended(turns) {
      const done = await Promise.allSettled(
        turns.map(({ turn_id, tenant_id, principal, refund }) =>
          scripts.sidestageEndTurn(...ownKeys(tenant_id, principal), keys.charge(tenant_id, turn_id), turn_id, refund),
        ),
      );
      const failed = done.find((result) => result.status === 'rejected');
      if (failed) logger.debug({ err: failed.reason }, 'leases not ended, they end by themselves');
    },

    async rebuild(open) {
      const pipeline = redis.pipeline();
      for (const turn of open) {
        const leaseEnd = turn.deadline_at.getTime() + leaseSlackMs;
        const inFlight = keys.inFlight(turn.tenant_id, turn.principal);
        pipeline.zadd(inFlight, 'NX', leaseEnd, turn.id);
        pipeline.pexpireat(inFlight, Math.max(leaseEnd, Date.now() + 1_000));
        if (turn.state !== 'running') pipeline.zadd(keys.waitingLine(), 'NX', turn.accepted_at.getTime(), turn.id);
      }
      await pipeline.exec().catch((error: unknown) => {
        logger.debug({ err: error }, 'leases not rebuilt, trying again with the next sweep');
      });
    },
  };
}
