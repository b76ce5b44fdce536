import { inTransaction, type Logger, makePool, type PgClient, type PgPool } from '@sidestage/runtime';

export interface DatabaseOptions {
  url: string;
  /** Connections of this process, over both pools; at least 2. */
  max: number;
  /** Connections opened at once and kept, over both pools: on a busy machine a burst that must first open them waits in vain. Default 4. */
  min?: number;
  idleMs: number;
  waitMs: number;
  logger: Logger;
}

/** The two ways into Postgres: as a tenant under row-level security, and as the engine. */
export interface Database {
  /** Accept, settle, sweep, credentials: statements join on (tenant_id, id). */
  engine: PgPool;
  api: PgPool;
  /** Runs `work` in one transaction that sees and writes the rows of `tenantId` only. */
  asTenant<T>(tenantId: string, work: (client: PgClient) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export function makeDatabase(options: DatabaseOptions): Database {
  const { url, idleMs, waitMs, logger } = options;
  const engineMax = Math.max(1, Math.ceil(options.max / 2));
  const min = Math.ceil((options.min ?? 4) / 2);
  const shared = { url, min, idleMs, waitMs, logger };
  const engine = makePool({ ...shared, role: 'sidestage_engine', max: engineMax });
  const api = makePool({ ...shared, role: 'sidestage_api', max: Math.max(1, options.max - engineMax) });
  return {
    engine,
    api,
    asTenant: (tenantId, work) =>
      inTransaction(api, async (client) => {
        // true: for this transaction only. A session-level setting would leak to the next borrower of the connection.
        await client.query(`SELECT set_config('sidestage.tenant_id', $1, true)`, [tenantId]);
        return work(client);
      }),
    close: async () => {
      await Promise.all([engine.end(), api.end()]);
    },
  };
}
