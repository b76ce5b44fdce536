import { makeId, makeLogger } from '@sidestage/runtime';
import { type Database, makeApiKey, makeApiKeyRepository, makeDatabase, makeTenantRepository } from '@sidestage/store';
import { type FleetOptions, makeTestDatabase, startFleet, type TestFleet, waitFor } from '@sidestage/testkit';

/** What is said of rye: searched for by `question`. */
const talk =
  'Rye bread needs patience and a long rest. Gummy rye comes from cutting the loaf on the day it was baked. ';
export const question = 'Why is my rye bread gummy?';
/** Limits that no bench or fleet test meets. */
const open = { per_minute: 1_000_000, per_hour: 10_000_000, in_flight: 10_000 };

/** A fleet with a tenant whose limits are out of the way, keys of it, and a creator who has said something. */
export interface FleetStage {
  fleet: TestFleet;
  tenantId: string;
  /** Of an integrator each. */
  keys: string[];
  store: Database;
  close(): Promise<void>;
}

/** Starts it; with a retrieval service the creator's only source is ready to be found. */
export async function setFleetStage(options: FleetOptions & { keys?: number }): Promise<FleetStage> {
  const database = await makeTestDatabase();
  const logger = makeLogger({ service: 'stage', level: 'FATAL' });
  const store = makeDatabase({ url: database.url, max: 2, idleMs: 1_000, waitMs: 5_000, logger });
  const close = async (fleet?: TestFleet): Promise<void> => {
    await fleet?.stop();
    await store.close();
    await database.drop();
  };
  let fleet: TestFleet | undefined;
  try {
    const tenant = await makeTenantRepository(store.engine).create({ name: 'stage' });
    const policy = { tiers: { enterprise: open }, tenant: { per_minute: 1_000_000, burst: 1_000_000 } };
    await database.query('UPDATE tenants SET policy = $2 WHERE id = $1', [tenant.id, JSON.stringify(policy)]);
    const creatorId = makeId();
    await database.query(`INSERT INTO creators (id, tenant_id, slug, name) VALUES ($1, $2, 'ada', 'Ada')`, [
      creatorId,
      tenant.id,
    ]);
    const keys = await Promise.all(
      Array.from({ length: options.keys ?? 4 }, async () => {
        const { key, hash, prefix } = makeApiKey();
        await makeApiKeyRepository(store).create({
          tenant_id: tenant.id,
          name: 'stage',
          tier: 'enterprise',
          hash,
          prefix,
          actor: 'system',
        });
        return key;
      }),
    );
    const started = await startFleet({ ...options, database });
    fleet = started;
    if (started.retrieval) await addTalk(started, keys[0] ?? '');
    return { fleet: started, tenantId: tenant.id, keys, store, close: () => close(started) };
  } catch (error) {
    await close(fleet);
    throw error;
  }
}

async function addTalk(fleet: TestFleet, key: string): Promise<void> {
  const address = `${fleet.gateways[0]?.url}/api/v1/creators/ada/sources`;
  const headers = { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' };
  const body = { title: 'On rye', kind: 'article', format: 'text', content: talk.repeat(4) };
  const made = await fetch(address, { method: 'POST', headers, body: JSON.stringify(body) });
  if (made.status !== 202) throw new Error(`no source: ${made.status} ${await made.text()}`);
  const { id } = (await made.json()) as { id: string };
  await waitFor(
    async () =>
      ((await (await fetch(`${address}/${id}`, { headers })).json()) as { status: string }).status === 'ready',
    { timeoutMs: 60_000, everyMs: 100, what: 'the source to be ready' },
  );
}
