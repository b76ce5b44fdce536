import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { makeLogger } from '@sidestage/runtime';
import {
  hashPassword,
  makeApiKey,
  makeApiKeyRepository,
  makeDatabase,
  makeTenantRepository,
  makeUserRepository,
} from '@sidestage/store';
import { waitFor } from '@sidestage/testkit';
import { z } from 'zod';

/** Who lives on the stage: a tenant whose limits are out of the way, its fans' keys, an operator, a creator with something to say. */
export interface StageTenant {
  id: string;
  /** API keys, one a fan. */
  keys: string[];
  operator: { email: string; password: string };
}

const unlimited = { per_hour: 10_000_000, per_minute: 1_000_000, in_flight: 100_000 };

export async function makeStageTenant(databaseUrl: string, fans: number): Promise<StageTenant> {
  const logger = makeLogger({ service: 'chaos', level: 'FATAL' });
  const store = makeDatabase({ url: databaseUrl, max: 2, idleMs: 1_000, waitMs: 5_000, logger });
  try {
    const tenants = makeTenantRepository(store.engine);
    const { id } = await tenants.create({ name: 'chaos' });
    await tenants.setPolicyPatch(id, {
      tiers: { enterprise: unlimited },
      tenant: { per_minute: 10_000_000, burst: 10_000_000 },
    });
    const apiKeys = makeApiKeyRepository(store);
    const keys: string[] = [];
    for (let fan = 0; fan < fans; fan++) {
      const { key, hash, prefix } = makeApiKey();
      await apiKeys.create({ tenant_id: id, name: `fan ${fan}`, tier: 'enterprise', hash, prefix, actor: 'system' });
      keys.push(key);
    }
    const operator = { email: 'operator@chaos.example', password: randomBytes(12).toString('base64url') };
    await makeUserRepository(store).create({
      tenant_id: id,
      email: operator.email,
      password_hash: await hashPassword(operator.password),
      display_name: 'Operator',
      role: 'operator',
    });
    return { id, keys, operator };
  } finally {
    await store.close();
  }
}

/** The creator the fans talk to, and two of her sources: `demo/creators/marta-okkonen`. */
const material = new URL('../../../demo/creators/marta-okkonen/', import.meta.url);
const sources = [
  { file: 'starter-is-not-dead.srt', format: 'srt', title: 'Your starter is not dead' },
  { file: 'bulk-fermentation.srt', format: 'srt', title: 'Bulk fermentation' },
] as const;

/** Makes the creator over HTTP and waits until her sources are ready. Gives her id. */
export async function makeCreator(gatewayUrl: string, key: string): Promise<string> {
  const call = async (method: string, path: string, body?: object): Promise<unknown> => {
    const response = await fetch(`${gatewayUrl}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.json();
  };
  const { id } = z.object({ id: z.string() }).parse(await call('POST', '/creators', { slug: 'marta', name: 'Marta' }));
  for (const { file, format, title } of sources) {
    const content = readFileSync(new URL(file, material), 'utf8');
    await call('POST', `/creators/${id}/sources`, { title, kind: 'video', format, content });
  }
  const list = z.object({ items: z.array(z.object({ status: z.string() })) });
  await waitFor(
    async () => {
      const { items } = list.parse(await call('GET', `/creators/${id}/sources`));
      return items.length === sources.length && items.every(({ status }) => status === 'ready');
    },
    { timeoutMs: 60_000, everyMs: 200, what: 'the creator’s sources to be ready' },
  );
  return id;
}
