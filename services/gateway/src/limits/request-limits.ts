import { ProblemError } from '@sidestage/contracts';
import type { Metrics } from '@sidestage/runtime';
import type { Principal } from '../auth/principal.js';
import type { FixedWindows, WindowState } from './fixed-windows.js';

/** Requests a minute of one principal, chat aside (that has its tier's limits). */
export const principalPerMinute = 600;

export interface RequestLimitOptions {
  windows: FixedWindows;
  metrics: Metrics;
  authPerMinute: number;
  anonymousPerMinute: number;
}

/** Limits that hold before it is known who asks, and the one on requests that are no turns. All throw `quota_exceeded`. */
export interface RequestLimits {
  /** A request on `auth/*`, whose body is the credential. */
  countSignIn(address: string): Promise<WindowState>;
  /** The body's credential was good: the request does not count against its address. */
  forgiveSignIn(address: string): Promise<void>;
  /** A request without a valid credential. */
  countAnonymous(address: string): Promise<WindowState>;
  /** Whether this address has used up its requests without a credential. */
  isExhausted(address: string): Promise<boolean>;
  countPrincipal(principal: Principal): Promise<WindowState>;
}

export function makeRequestLimits(options: RequestLimitOptions): RequestLimits {
  const { windows, metrics } = options;
  async function count(policy: string, scope: string, who: string, limit: number, tier: string): Promise<WindowState> {
    const state = await windows.hit(scope, who, limit);
    if (state.allowed) return state;
    metrics.rateLimited.inc({ tier, policy });
    throw new ProblemError('quota_exceeded', {
      detail: `More than ${limit} requests this minute; try again in ${state.resetSeconds} s.`,
      retryAfterSeconds: state.resetSeconds,
      violatedPolicies: [policy],
      limit: { policy, limit, remaining: 0, reset_seconds: state.resetSeconds },
      headers: rateLimitHeaders(policy, state),
    });
  }
  return {
    countSignIn: (address) => count('auth_address', 'auth', network(address), options.authPerMinute, 'none'),
    forgiveSignIn: (address) => windows.giveBack('auth', network(address)),
    countAnonymous: (address) => count('address', 'anon', network(address), options.anonymousPerMinute, 'none'),
    isExhausted: async (address) => {
      const state = await windows.peek('anon', network(address), options.anonymousPerMinute);
      return state.remaining === 0;
    },
    countPrincipal: (principal) =>
      count('requests', 'principal', `${principal.tenantId}:${principal.id}`, principalPerMinute, principal.tier),
  };
}

/** The RateLimit fields of draft-ietf-httpapi-ratelimit-headers for one policy of a minute. */
export function rateLimitHeaders(policy: string, state: WindowState): Record<string, string> {
  return {
    'RateLimit-Policy': `"${policy}";q=${state.limit};w=60`,
    RateLimit: `"${policy}";r=${state.remaining};t=${state.resetSeconds}`,
  };
}

/** An IPv6 customer owns a /64 and can use any address in it. */
export function network(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '');
  if (!plain.includes(':')) return plain;
  const [head = '', tail] = plain.split('%')[0]!.split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const rest = tail === '' ? [] : tail.split(':');
    while (groups.length + rest.length < 8) groups.push('0');
    groups.push(...rest);
  }
  return `${groups.slice(0, 4).join(':')}::/64`;
}
