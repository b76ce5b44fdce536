import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makePrivateFolder, startPostgres } from '@sidestage/embedded';
import pg from 'pg';
import { forgetTestAddresses, type TestAddresses, writeTestAddresses } from './config.js';

/** The database every test database is a copy of. */
export const TEMPLATE_DATABASE = 'sidestage';

export interface TestParts extends TestAddresses {
  stop(): Promise<void>;
}

/**
 * Starts what one run of tests shares, a PostgreSQL on a throw-away folder, and writes its addresses into this
 * process's environment, from where jest's workers have them. `migrate` makes the project's tables in the template,
 * once; without it test databases are empty.
 */
export async function startTestParts(
  options: { migrate?: (databaseUrl: string) => Promise<unknown> } = {},
): Promise<TestParts> {
  const folder = mkdtempSync(join(tmpdir(), 'sidestage-test-'));
  makePrivateFolder(folder);
  const postgres = await startPostgres({
    dataDir: join(folder, 'postgres'),
    log: join(folder, 'postgres.log'),
    maxConnections: 500,
    durable: false,
  });
  const stop = async (): Promise<void> => {
    forgetTestAddresses();
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await options.migrate?.(postgres.url);
    const client = new pg.Client({ connectionString: postgres.adminUrl });
    await client.connect();
    // A forgotten connection to the template would make every later copy of it fail.
    await client.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [
      TEMPLATE_DATABASE,
    ]);
    await client.end();
  } catch (error) {
    await stop();
    throw error;
  }
  const addresses = { adminUrl: postgres.adminUrl, ownerUrl: postgres.url, migrated: options.migrate !== undefined };
  writeTestAddresses(addresses);
  return { ...addresses, stop };
}
