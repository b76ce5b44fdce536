import type { LimitState, TierPolicy } from '@sidestage/contracts';
import type { AdmissionRequest, AdmissionResult } from './ports.js';

interface Window {
  used: number;
  endsAt: number;
}
interface Account {
  hour: Window;
  minute: Window;
  /** Turn id → end of its lease. */
  leases: Map<string, number>;
}

const hourMs = 3600_000;
const minuteMs = 60_000;
/** Accounts remembered at once; beyond it the oldest are forgotten. */
const maxAccounts = 50_000;

/**
 * Limits of one process while Redis is away: each gateway hands out its share of the tier, at least one. Nobody knows the queue then,
 * so there is no position.
 */
export class FallbackAdmission {
  #accounts = new Map<string, Account>();
  #tenants = new Map<string, { tokens: number; at: number }>();

  constructor(
    private readonly gateways: number,
    private readonly now: () => number = Date.now,
  ) {}

  admit(request: AdmissionRequest): AdmissionResult {
    const limits = this.#share(request.limits);
    const account = this.#account(request.tenant_id, request.principal);
    const now = this.now();
    for (const [turnId, endsAt] of account.leases) if (endsAt <= now) account.leases.delete(turnId);
    const bucket = this.#bucket(request);
    const waits: ['hour' | 'minute' | 'in_flight' | 'tenant', number][] = [];
    if (account.hour.used >= limits.per_hour) waits.push(['hour', account.hour.endsAt - now]);
    if (account.minute.used >= limits.per_minute) waits.push(['minute', account.minute.endsAt - now]);
    if (account.leases.size >= limits.in_flight) waits.push(['in_flight', 2_000]);
    if (bucket.tokens < 1) waits.push(['tenant', minuteMs / this.#part(request.tenant_limit.per_minute)]);
    const longest = waits.sort((a, b) => b[1] - a[1])[0];
    if (longest) {
      return { kind: 'refused', policy: longest[0], retry_after_ms: longest[1], limits: this.#states(account, limits) };
    }
    account.hour.used++;
    account.minute.used++;
    account.leases.set(request.turn_id, request.lease_until);
    bucket.tokens--;
    return { kind: 'admitted', limits: this.#states(account, limits), position: null, eta_ms: null };
  }

  /** Gives back what `admit` took for this turn; nothing for a turn it did not admit. */
  withdraw(request: Pick<AdmissionRequest, 'turn_id' | 'tenant_id' | 'principal'>): void {
    const account = this.#accounts.get(`${request.tenant_id} ${request.principal}`);
    if (!account?.leases.delete(request.turn_id)) return;
    account.hour.used = Math.max(0, account.hour.used - 1);
    account.minute.used = Math.max(0, account.minute.used - 1);
  }

  peek(request: { tenant_id: string; principal: string; limits: TierPolicy }): LimitState[] {
    return this.#states(this.#account(request.tenant_id, request.principal), this.#share(request.limits));
  }

  /** Redis decides again: an outage's counts are done with. */
  clear(): void {
    this.#accounts.clear();
    this.#tenants.clear();
  }

  #part(limit: number): number {
    return Math.max(1, Math.floor(limit / this.gateways));
  }

  #share(limits: TierPolicy): TierPolicy {
    return {
      ...limits,
      per_hour: this.#part(limits.per_hour),
      per_minute: this.#part(limits.per_minute),
      in_flight: this.#part(limits.in_flight),
    };
  }

  #account(tenantId: string, principal: string): Account {
    const key = `${tenantId} ${principal}`;
    const now = this.now();
    let account = this.#accounts.get(key);
    if (!account) {
      account = {
        hour: { used: 0, endsAt: now + hourMs },
        minute: { used: 0, endsAt: now + minuteMs },
        leases: new Map(),
      };
      const oldest = this.#accounts.size >= maxAccounts ? this.#accounts.keys().next().value : undefined;
      if (oldest !== undefined) this.#accounts.delete(oldest);
      this.#accounts.set(key, account);
    }
    if (account.hour.endsAt <= now) account.hour = { used: 0, endsAt: now + hourMs };
    if (account.minute.endsAt <= now) account.minute = { used: 0, endsAt: now + minuteMs };
    return account;
  }

  #bucket(request: AdmissionRequest): { tokens: number; at: number } {
    const now = this.now();
    const burst = this.#part(request.tenant_limit.burst);
    const bucket = this.#tenants.get(request.tenant_id) ?? { tokens: burst, at: now };
    const refilled = ((now - bucket.at) * this.#part(request.tenant_limit.per_minute)) / minuteMs;
    bucket.tokens = Math.min(burst, bucket.tokens + refilled);
    bucket.at = now;
    this.#tenants.set(request.tenant_id, bucket);
    return bucket;
  }

  #states(account: Account, limits: TierPolicy): LimitState[] {
    const seconds = (window: Window) => Math.max(1, Math.ceil((window.endsAt - this.now()) / 1000));
    return [
      {
        policy: 'hour',
        limit: limits.per_hour,
        remaining: Math.max(0, limits.per_hour - account.hour.used),
        reset_seconds: seconds(account.hour),
      },
      {
        policy: 'minute',
        limit: limits.per_minute,
        remaining: Math.max(0, limits.per_minute - account.minute.used),
        reset_seconds: seconds(account.minute),
      },
    ];
  }
}
