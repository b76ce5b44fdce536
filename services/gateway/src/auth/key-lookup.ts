import { ProblemError } from '@sidestage/contracts';
import { type ApiKeyRepository, hashApiKey, isWellFormedApiKey } from '@sidestage/store';
import type { Principal } from './principal.js';

/** A revoked key is refused at the latest after this, even when nobody told. */
const goodMs = 4_000;
/** An unknown key is not asked for again so soon. */
const unknownMs = 1_000;
const maxCached = 20_000;

interface CachedKey {
  principal: Principal | null;
  until: number;
}

export interface KeyLookup {
  /** Whether the answer is known without asking Postgres. */
  knows(key: string): boolean;
  /** Throws `unauthenticated` for a key that is mistyped, unknown or revoked. */
  find(key: string): Promise<Principal>;
  forget(keyId: string): void;
  /** Ids of keys used since the last call. */
  takeUsed(): string[];
}

export const keyHelp =
  'Send `Authorization: Bearer <token>` with an access token from POST /api/v1/auth/login (or /guest), or an API key (sk_...), which an integrator or operator makes with POST /api/v1/keys.';

export function makeKeyLookup(repository: Pick<ApiKeyRepository, 'findByHash'>): KeyLookup {
  const cache = new Map<string, CachedKey>();
  const running = new Map<string, Promise<Principal | null>>();
  let used = new Set<string>();

  function fresh(hash: string): CachedKey | undefined {
    const entry = cache.get(hash);
    return entry && entry.until > Date.now() ? entry : undefined;
  }

  async function ask(hash: string): Promise<Principal | null> {
    const row = await repository.findByHash(Buffer.from(hash, 'hex'));
    const principal: Principal | null = row && {
      tenantId: row.tenant_id,
      id: `key:${row.id}`,
      role: 'integrator',
      tier: row.tier,
      userId: null,
      guest: false,
      sessionId: null,
      expiresAt: null,
    };
    cache.delete(hash);
    cache.set(hash, { principal, until: Date.now() + (principal ? goodMs : unknownMs) });
    if (cache.size > maxCached) {
      const oldest = cache.keys().next().value;
      if (oldest !== undefined) cache.delete(oldest);
    }
    return principal;
  }

  return {
    knows: (key) => !isWellFormedApiKey(key) || fresh(hashApiKey(key).toString('hex')) !== undefined,

    async find(key) {
      if (!isWellFormedApiKey(key))
        throw new ProblemError('unauthenticated', {
          detail: `This is no API key of ours: mistyped or cut. ${keyHelp}`,
        });
      const hash = hashApiKey(key).toString('hex');
      const known = fresh(hash);
      let principal = known?.principal ?? null;
      if (!known) {
        let asking = running.get(hash);
        if (!asking) {
          asking = ask(hash).finally(() => running.delete(hash));
          running.set(hash, asking);
        }
        principal = await asking;
      }
      if (!principal)
        throw new ProblemError('unauthenticated', { detail: `The API key is unknown or revoked. ${keyHelp}` });
      used.add(principal.id.slice('key:'.length));
      return principal;
    },

    forget(keyId) {
      for (const [hash, entry] of cache) if (entry.principal?.id === `key:${keyId}`) cache.delete(hash);
    },

    takeUsed() {
      const ids = [...used];
      used = new Set();
      return ids;
    },
  };
}
