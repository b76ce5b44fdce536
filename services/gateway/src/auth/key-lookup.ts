import { ProblemError } from '@sidestage/contracts';
import { makeReadThrough } from '@sidestage/runtime';
import { type ApiKeyRepository, hashApiKey, isWellFormedApiKey } from '@sidestage/store';
import type { Principal } from './principal.js';

/** A revoked key is refused at the latest after this, even when nobody told. */
const goodMs = 4_000;
/** An unknown key is not asked for again so soon. */
const unknownMs = 1_000;
const maxCached = 20_000;

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
  const cache = makeReadThrough({
    read: ask,
    keepMs: (principal) => (principal ? goodMs : unknownMs),
    max: maxCached,
  });
  let used = new Set<string>();

  async function ask(hash: string): Promise<Principal | null> {
    const row = await repository.findByHash(Buffer.from(hash, 'hex'));
    return (
      row && {
        tenantId: row.tenant_id,
        id: `key:${row.id}`,
        role: 'integrator',
        tier: row.tier,
        userId: null,
        guest: false,
        sessionId: null,
        expiresAt: null,
      }
    );
  }

  return {
    knows: (key) => !isWellFormedApiKey(key) || cache.peek(hashApiKey(key).toString('hex')) !== undefined,

    async find(key) {
      if (!isWellFormedApiKey(key))
        throw new ProblemError('unauthenticated', {
          detail: `This is no API key of ours: mistyped or cut. ${keyHelp}`,
        });
      const principal = await cache.get(hashApiKey(key).toString('hex'));
      if (!principal)
        throw new ProblemError('unauthenticated', { detail: `The API key is unknown or revoked. ${keyHelp}` });
      used.add(principal.id.slice('key:'.length));
      return principal;
    },

    forget(keyId) {
      cache.forget((_hash, principal) => principal?.id === `key:${keyId}`);
    },

    takeUsed() {
      const ids = [...used];
      used = new Set();
      return ids;
    },
  };
}
