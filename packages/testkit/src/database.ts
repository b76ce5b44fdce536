import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { readTestAddresses } from './config.js';
import { TEMPLATE_DATABASE } from './parts.js';

export interface TestDatabase {
  readonly name: string;
  /** As the login role the services use: owner of this database, no superuser. */
  readonly url: string;
  /** As the superuser, on this database. */
  readonly adminUrl: string;
  /** Runs one statement as the superuser (past row-level security), for looking at what a test did. */
  query<Row extends pg.QueryResultRow>(sql: string, values?: unknown[]): Promise<Row[]>;
  /** Connections the code under test holds now. */
  countConnections(): Promise<number>;
  /** Cuts every connection of the code under test, as a failover does; gives how many. */
  cutConnections(): Promise<number>;
  /** Removes it; connections still open are cut. */
  drop(): Promise<void>;
}

function onDatabase(address: string, name: string): string {
  const url = new URL(address);
  url.pathname = `/${name}`;
  return url.toString();
}

async function withClient<T>(address: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: address });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

/**
 * A database of this test's own, copied from the migrated template within a few hundredths of a second.
 * `migrated: false` gives an empty one.
 * @throws when the run's template has no tables because packages/store was not built.
 */
export async function makeTestDatabase(options: { migrated?: boolean } = {}): Promise<TestDatabase> {
  const addresses = readTestAddresses();
  const migrated = options.migrated !== false;
  if (migrated && !addresses.migrated)
    throw new Error('the template has no tables: build packages/store, then run jest again');
  const name = `test_${randomBytes(8).toString('hex')}`;
  const owner = new URL(addresses.ownerUrl).username;
  const template = migrated ? TEMPLATE_DATABASE : 'template0';
  await withClient(addresses.adminUrl, (client) =>
    client.query(`CREATE DATABASE ${name} TEMPLATE ${template} OWNER ${owner}`),
  );
  const adminUrl = onDatabase(addresses.adminUrl, name);
  return {
    ...lookInto(name, adminUrl),
    url: onDatabase(addresses.ownerUrl, name),
    drop: () =>
      withClient(addresses.adminUrl, async (client) => {
        await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
      }),
  };
}

/** What a test may do with a database as its superuser. */
export function lookInto(name: string, adminUrl: string): Omit<TestDatabase, 'url' | 'drop'> {
  const others = 'FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()';
  return {
    name,
    adminUrl,
    query: (sql, values) => withClient(adminUrl, async (client) => (await client.query(sql, values)).rows),
    countConnections: () =>
      withClient(adminUrl, async (client) => {
        const { rows } = await client.query<{ count: string }>(`SELECT count(*) ${others}`, [name]);
        return Number(rows[0]?.count);
      }),
    cutConnections: () =>
      withClient(
        adminUrl,
        async (client) => (await client.query(`SELECT pg_terminate_backend(pid) ${others}`, [name])).rowCount ?? 0,
      ),
  };
}
