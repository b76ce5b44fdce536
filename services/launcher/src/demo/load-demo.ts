import { randomBytes } from 'node:crypto';
import { createdKeySchema, sessionSchema, type Tier } from '@sidestage/contracts';
import { type Demo, type DemoState, readDemo, readDemoState, writeDemo, writeDemoState } from './demo-file.js';
import type { DemoCreator } from './demo-material.js';
import type { DemoStore } from './demo-store.js';
import { GatewayClient, GatewayRefusal } from './gateway-client.js';
import { loadCreators } from './load-creators.js';

export interface DemoOptions {
  dataDir: string;
  gatewayUrl: string;
  store: DemoStore;
  material: readonly DemoCreator[];
}

type Person = 'operator' | 'creator' | 'fan';

const makeAccount = (person: Person): { email: string; password: string } => ({
  email: `${person}@demo.sidestage.example`,
  password: randomBytes(12).toString('base64url'),
});

/**
 * Makes the demo tenant on an empty database and decides what is left to do. Runs before the gateway starts, whose
 * default tenant is the first.
 * @returns undefined where there is nothing to load: the demo is complete, or the data is somebody's own.
 */
export async function beginDemo({ dataDir, store }: DemoOptions): Promise<DemoState | undefined> {
  const state = readDemoState(dataDir);
  const first = await store.findFirstTenant();
  if (first !== null) return state && state.tenant_id === first && !state.complete ? state : undefined;
  const begun: DemoState = {
    tenant_id: await store.makeTenant('demo'),
    operator: makeAccount('operator'),
    creator: makeAccount('creator'),
    fan: makeAccount('fan'),
    complete: false,
  };
  writeDemoState(dataDir, begun);
  return begun;
}

/** Gives the account's access token. */
async function logIn(client: GatewayClient, { email, password }: DemoState[Person]): Promise<string> {
  return (await client.post('/api/v1/auth/login', { email, password }, sessionSchema)).access_token;
}

async function register(client: GatewayClient, state: DemoState, role: 'creator' | 'fan'): Promise<void> {
  try {
    await client.post('/api/v1/auth/register', { ...state[role], role, display_name: `Demo ${role}` }, sessionSchema);
  } catch (error) {
    // A start that was cut short has registered it already.
    if (!(error instanceof GatewayRefusal && error.status === 409)) throw error;
  }
}

async function makeKeys(operator: GatewayClient): Promise<Demo['api_keys']> {
  const make = async (tier: Tier): Promise<string> =>
    (await operator.post('/api/v1/keys', { name: `demo ${tier}`, tier }, createdKeySchema)).key;
  const [free, premium, enterprise] = await Promise.all([make('free'), make('premium'), make('enterprise')]);
  return { free, premium, enterprise };
}

/** The demo's accounts and a key of each tier, written to `demo.json`. */
export async function loadAccounts(options: DemoOptions, state: DemoState): Promise<Demo> {
  const { dataDir, gatewayUrl, store } = options;
  const client = new GatewayClient(gatewayUrl);
  await store.makeOperator(state.tenant_id, state.operator);
  const operator = await logIn(client, state.operator);
  await Promise.all([register(client, state, 'fan'), register(client, state, 'creator')]);
  const known = readDemo(dataDir);
  const demo: Demo = {
    gateway: gatewayUrl,
    api_keys: known?.tenant_id === state.tenant_id ? known.api_keys : await makeKeys(client.as(operator)),
    operator: state.operator,
    creator: state.creator,
    fan: state.fan,
    tenant_id: state.tenant_id,
    creators: [],
  };
  writeDemo(dataDir, demo);
  return demo;
}

/** The demo creators, owned by the demo's creator account; completes `demo.json`. */
export async function loadDemoCreators(
  options: DemoOptions,
  state: DemoState,
  demo: Demo,
  onProgress: (remark: string) => void,
): Promise<Demo> {
  const client = new GatewayClient(options.gatewayUrl);
  const token = await logIn(client, state.creator);
  const complete = { ...demo, creators: await loadCreators(client.as(token), options.material, onProgress) };
  writeDemo(options.dataDir, complete);
  writeDemoState(options.dataDir, { ...state, complete: true });
  return complete;
}
