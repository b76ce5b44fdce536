import { join } from 'node:path';
import { makePrivateFolder } from '@sidestage/embedded';
import { migrate } from '@sidestage/store';
import type { LauncherConfig } from './config.js';
import { planPostgres, planRedis } from './data-servers.js';
import { readDemo } from './demo/demo-file.js';
import { readDemoMaterial } from './demo/demo-material.js';
import { makeDemoStore } from './demo/demo-store.js';
import { beginDemo, type DemoOptions, loadAccounts, loadDemoCreators } from './demo/load-demo.js';
import { type FleetAddresses, planFleet, wantedPorts } from './fleet-plan.js';
import { Keeper } from './keeper.js';
import { checkReachable, type OutsideServer, refusedBy } from './outside-servers.js';
import { checkPorts } from './port-holder.js';
import { readSecrets } from './private-files.js';
import { RunFile } from './run-file.js';
import { showAddresses } from './show-addresses.js';
import { claimDataFolder, endLeftovers } from './single-run.js';
import type { Terminal } from './terminal.js';

/**
 * Starts the fleet step by step and prints where it is. `onStarted` is told, before the first step, what keeps it: its
 * `stop` ends whatever has been started so far.
 * @throws what stopped the start; the caller then stops the keeper.
 */
export async function runFleet(
  config: LauncherConfig,
  terminal: Terminal,
  onStarted: (keeper: Keeper) => void,
): Promise<void> {
  const logs = join(config.dataDir, 'logs');
  for (const folder of [config.dataDir, logs]) makePrivateFolder(folder);
  const runFile = new RunFile(config.dataDir);
  const keeper = new Keeper(runFile, terminal);
  onStarted(keeper);
  keeper.onStop(claimDataFolder(config.dataDir));
  keeper.onStop(() => runFile.remove());
  if (config.unknownNames.length > 0)
    terminal.notice(`no such setting: ${config.unknownNames.join(', ')} (.env.example has them all)`);
  await clearTheWay(config, terminal, runFile);

  const addresses = await startDataServers(config, terminal, keeper);
  await terminal.step(
    'tables',
    () =>
      migrate(addresses.databaseUrl).catch((error: unknown) => Promise.reject(refusedBy(postgresAt(addresses), error))),
    (ran) => (ran.length > 0 ? `${ran.length} migrations` : 'up to date'),
  );
  const store = makeDemoStore(addresses.databaseUrl);
  keeper.onStop(() => store.close());
  const material = readDemoMaterial(config.demoDir);
  const demo: DemoOptions = { dataDir: config.dataDir, gatewayUrl: config.publicGatewayUrl, store, material };
  const whole = config.services.includes('gateway') && config.services.includes('retrieval');
  const begun = whole && !config.production ? await beginDemo(demo) : undefined;

  const fleet = planFleet(config, addresses);
  await terminal.step(
    'services',
    () => keeper.startServices(fleet),
    () => fleet.map(({ name }) => name).join(', '),
  );
  if (begun) {
    const made = await terminal.step('demo accounts and keys', () => loadAccounts(demo, begun));
    await terminal.step(
      'demo creators',
      (progress) => loadDemoCreators(demo, begun, made, progress),
      ({ creators }) => creators.map(({ name }) => name).join(', '),
    );
  }
  showAddresses(terminal, config, readDemo(config.dataDir), material);
}

async function clearTheWay(config: LauncherConfig, terminal: Terminal, runFile: RunFile): Promise<void> {
  const ended = await endLeftovers(runFile.readLeftovers());
  if (ended > 0) terminal.notice(`ended ${ended} processes of a start that was killed`);
  const wanted = wantedPorts(config);
  if (config.ignoredPort !== undefined) {
    const names = [...new Set(wanted.map(({ variable }) => variable))].join(', ');
    terminal.notice(`PORT=${config.ignoredPort} belongs to one service and is ignored; use ${names}`);
  }
  await checkPorts(wanted, config.host);
}

const redisAt = (url: string): OutsideServer => ({
  name: 'Redis',
  url,
  variables: 'REDIS_URL (or REDIS_HOST)',
  usualPort: 6379,
});
const postgresAt = ({ databaseUrl }: Pick<FleetAddresses, 'databaseUrl'>): OutsideServer => ({
  name: 'PostgreSQL',
  url: databaseUrl,
  variables: 'DATABASE_URL (or DB_HOST)',
  usualPort: 5432,
});

/** Starts the servers the environment does not name, asks for those it does, and gives the addresses of all. */
async function startDataServers(config: LauncherConfig, terminal: Terminal, keeper: Keeper): Promise<FleetAddresses> {
  const secrets = readSecrets(config.dataDir);
  let { redisUrl, databaseUrl } = config;
  if (redisUrl !== undefined) {
    const server = redisAt(redisUrl);
    await terminal.step(
      'Redis',
      () => checkReachable(server),
      (at) => `yours, ${at}`,
    );
  } else {
    redisUrl = await terminal.step(
      'Redis',
      async (progress) => {
        const redis = await planRedis(config, progress);
        await keeper.startData(redis);
        return redis.url();
      },
      showPort,
    );
  }
  if (databaseUrl !== undefined) {
    const server = postgresAt({ databaseUrl });
    await terminal.step(
      'PostgreSQL',
      () => checkReachable(server),
      (at) => `yours, ${at}`,
    );
  } else {
    databaseUrl = await terminal.step(
      'PostgreSQL',
      async () => {
        const postgres = await planPostgres(config);
        await keeper.startData(postgres);
        return postgres.url();
      },
      showPort,
    );
  }
  return {
    redisUrl,
    databaseUrl,
    jwtSecret: config.jwtSecret ?? secrets.jwt_secret_key,
    retrievalToken: config.retrievalToken ?? secrets.retrieval_token,
  };
}

const showPort = (address: string): string => `port ${new URL(address).port}`;
