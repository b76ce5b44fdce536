import { makeLogger } from '@sidestage/runtime';
import { hashPassword, makeDatabase, makeTenantRepository, makeUserRepository } from '@sidestage/store';

/** What the demo needs of the store: no HTTP route makes the first tenant, or an operator. */
export interface DemoStore {
  /** The first tenant's id, or null on an empty database. */
  findFirstTenant(): Promise<string | null>;
  makeTenant(name: string): Promise<string>;
  /** Makes the operator's account; does nothing where the tenant has one of that address. */
  makeOperator(tenantId: string, account: { email: string; password: string }): Promise<void>;
  close(): Promise<void>;
}

/** Opens the store with the two connections it needs at least. */
export function makeDemoStore(databaseUrl: string): DemoStore {
  // Its errors reach the caller; a log line between the steps of the start would only be noise.
  const logger = makeLogger({ service: 'launcher', level: 'FATAL' });
  const database = makeDatabase({ url: databaseUrl, max: 2, idleMs: 10_000, waitMs: 5_000, logger });
  const tenants = makeTenantRepository(database.engine);
  const users = makeUserRepository(database);
  return {
    findFirstTenant: async () => (await tenants.first())?.id ?? null,
    makeTenant: async (name) => (await tenants.create({ name })).id,
    async makeOperator(tenantId, { email, password }) {
      if (await users.findByEmail(tenantId, email)) return;
      const passwordHash = await hashPassword(password);
      const display = { display_name: 'Demo operator', role: 'operator' as const };
      await users.create({ tenant_id: tenantId, email, password_hash: passwordHash, ...display });
    },
    close: () => database.close(),
  };
}
