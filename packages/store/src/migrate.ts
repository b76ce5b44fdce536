import { fileURLToPath } from 'node:url';
import pg from 'pg';

const directory = fileURLToPath(new URL('../migrations', import.meta.url));
/** Any number no other program locks: "side" in ASCII. */
const lockKey = 0x73696465;

/**
 * Brings the database to the newest schema; safe to run from several processes at once: they wait for one another.
 * `url` is a user that owns the database and may create roles. Resolves with the names of the migrations that ran.
 */
export async function migrate(url: string): Promise<string[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  await client.connect();
  try {
    await client.query('SELECT pg_advisory_lock($1)', [lockKey]);
    // A tenth of what a service's start costs, and only who migrates needs it.
    const { runner } = await import('node-pg-migrate');
    const ran = await runner({
      dbClient: client,
      dir: directory,
      direction: 'up',
      migrationsTable: 'migrations',
      noLock: true,
      log: () => undefined,
    });
    return ran.map((migration) => migration.name);
  } finally {
    await client.end();
  }
}
