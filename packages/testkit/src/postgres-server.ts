import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EmbeddedPostgres, findFreePort, makePrivateFolder, startPostgres } from '@sidestage/embedded';
import { lookInto, type TestDatabase } from './database.js';
import { TEMPLATE_DATABASE } from './parts.js';

/** A PostgreSQL server of this test's own, with one database, that can fail as a whole. What is committed survives all of it. */
export interface TestPostgres extends TestDatabase {
  readonly port: number;
  /** Of the server that runs now; another after {@link TestPostgres.start}. */
  readonly pid: number;
  /** Ends it as an operator does ("fast"): connections are cut. */
  stop(): Promise<void>;
  /** SIGKILL: the next start recovers. */
  kill(): Promise<void>;
  /** Starts it again on the same port and data. */
  start(): Promise<void>;
  /** Ends it and removes its data. */
  drop(): Promise<void>;
}

/** Starts one whose commits are on disk when they are answered. `migrate` makes the project's tables. */
export async function makeTestPostgres(options: {
  migrate: (databaseUrl: string) => Promise<unknown>;
  /** Default 300. */
  maxConnections?: number;
}): Promise<TestPostgres> {
  const folder = mkdtempSync(join(tmpdir(), 'sidestage-postgres-'));
  makePrivateFolder(folder);
  const port = await findFreePort();
  const open = (): Promise<EmbeddedPostgres> =>
    startPostgres({
      dataDir: join(folder, 'data'),
      log: join(folder, 'postgres.log'),
      port,
      maxConnections: options.maxConnections ?? 300,
    });
  let server = await open();
  const drop = async (): Promise<void> => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await options.migrate(server.url);
  } catch (error) {
    await drop();
    throw error;
  }
  const adminUrl = new URL(server.adminUrl);
  adminUrl.pathname = `/${TEMPLATE_DATABASE}`;
  return {
    ...lookInto(TEMPLATE_DATABASE, adminUrl.toString()),
    url: server.url,
    port,
    get pid() {
      return server.pid;
    },
    stop: () => server.stop(),
    async kill() {
      server.process.signal('SIGKILL');
      await server.process.exited;
    },
    async start() {
      server = await open();
    },
    drop,
  };
}
