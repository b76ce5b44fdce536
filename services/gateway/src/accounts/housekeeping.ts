import type { Logger } from '@sidestage/runtime';
import type { ApiKeyRepository, RefreshTokenRepository, RevocationRepository, UserRepository } from '@sidestage/store';
import type { KeyLookup } from '../auth/key-lookup.js';
import { revocationSeconds } from '../auth/revocations.js';

const touchMs = 30_000;
/** Rounds between two erasures: ten minutes. */
const eraseEvery = 20;
const batch = 200;

/** Remembers when keys were last used; erases guests past their end and what has expired. Every step can run on several gateways at once. */
export function startHousekeeping(options: {
  keys: KeyLookup;
  apiKeys: ApiKeyRepository;
  users: UserRepository;
  refreshTokens: RefreshTokenRepository;
  revocations: RevocationRepository;
  logger: Logger;
}): { stop(): void } {
  let round = 0;
  async function run(): Promise<void> {
    const used = options.keys.takeUsed();
    if (used.length > 0) await options.apiKeys.touch(used);
    if (round++ % eraseEvery !== 0) return;
    const erased = await options.users.eraseExpiredGuests(batch);
    if (erased > 0) options.logger.info({ guests: erased }, 'guests past their end erased');
    await options.refreshTokens.forgetExpired(batch);
    await options.revocations.forgetOlderThan(revocationSeconds * 2);
  }
  const timer = setInterval(() => {
    run().catch((error: unknown) => options.logger.debug({ err: error }, 'housekeeping put off'));
  }, touchMs);
  return { stop: () => clearInterval(timer) };
}
