import { ConfigError, makeLogger } from '@sidestage/runtime';
import { type MigrateConfig, readMigrateConfig } from './config.js';
import { hashPassword } from './credentials.js';
import { makeDatabase } from './database.js';
import { migrate } from './migrate.js';
import { makeTenantRepository } from './tenants.js';
import { makeUserRepository } from './users.js';

/** Makes the default tenant and its operator on an empty database: no HTTP route can make the first of either. */
async function makeFirstOperator(databaseUrl: string, operator: MigrateConfig['operator']): Promise<string> {
  const logger = makeLogger({ service: 'migrate', level: 'ERROR' });
  const database = makeDatabase({ url: databaseUrl, max: 2, idleMs: 10_000, waitMs: 5_000, logger });
  try {
    const tenants = makeTenantRepository(database.engine);
    if (await tenants.first()) return 'the first tenant exists';
    if (!operator) {
      throw new ConfigError([
        'OPERATOR_EMAIL and OPERATOR_PASSWORD are not set: the database is empty, and nobody could ever sign in',
      ]);
    }
    const tenant = await tenants.create({ name: 'default' });
    const { id } = await makeUserRepository(database).create({
      tenant_id: tenant.id,
      email: operator.email,
      password_hash: await hashPassword(operator.password),
      display_name: 'Operator',
      role: 'operator',
    });
    return `made tenant ${tenant.id} and operator ${id}`;
  } finally {
    await database.close();
  }
}

async function run(): Promise<void> {
  const config = readMigrateConfig(process.env);
  const ran = await migrate(config.databaseUrl);
  process.stdout.write(ran.length > 0 ? `migrated: ${ran.join(', ')}\n` : 'the schema is up to date\n');
  process.stdout.write(`${await makeFirstOperator(config.databaseUrl, config.operator)}\n`);
}

run().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
