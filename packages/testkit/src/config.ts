/** How one jest run tells its test files where the shared parts are. */
export const POSTGRES_VARIABLE = 'SIDESTAGE_TEST_POSTGRES_URL';
export const OWNER_VARIABLE = 'SIDESTAGE_TEST_OWNER_URL';
export const MIGRATED_VARIABLE = 'SIDESTAGE_TEST_MIGRATED';

export interface TestAddresses {
  /** The superuser's address. */
  adminUrl: string;
  /** The login role's address, on the database `sidestage`. */
  ownerUrl: string;
  /** Whether the template database holds the project's tables. */
  migrated: boolean;
}

/** @throws when no test parts were started. */
export function readTestAddresses(): TestAddresses {
  const adminUrl = process.env[POSTGRES_VARIABLE];
  const ownerUrl = process.env[OWNER_VARIABLE];
  if (!adminUrl || !ownerUrl) {
    throw new Error('no test parts are running: run the tests through jest.config.mjs, or call startTestParts() first');
  }
  return { adminUrl, ownerUrl, migrated: process.env[MIGRATED_VARIABLE] === 'true' };
}

export function writeTestAddresses(addresses: TestAddresses): void {
  process.env[POSTGRES_VARIABLE] = addresses.adminUrl;
  process.env[OWNER_VARIABLE] = addresses.ownerUrl;
  process.env[MIGRATED_VARIABLE] = String(addresses.migrated);
}

export function forgetTestAddresses(): void {
  for (const name of [POSTGRES_VARIABLE, OWNER_VARIABLE, MIGRATED_VARIABLE]) delete process.env[name];
}

/** Where built tools are kept between runs and clones. */
export function cacheFolder(): string {
  const base = process.env.XDG_CACHE_HOME || `${process.env.HOME ?? '/root'}/.cache`;
  return `${base}/sidestage`;
}
