import { join } from 'node:path';
import type { LauncherConfig, ServiceName } from './config.js';
import type { ServiceProcess } from './service-process.js';

/** What the services need to find each other. */
export interface FleetAddresses {
  databaseUrl: string;
  redisUrl: string;
  jwtSecret: string;
  retrievalToken: string;
}

const PORT_VARIABLES: Record<ServiceName, string> = {
  gateway: 'GATEWAY_PORT',
  'chat-worker': 'WORKER_PORT',
  retrieval: 'RETRIEVAL_PORT',
  web: 'WEB_PORT',
};

/** What Node runs, below the service's folder. */
const ENTRIES: Record<ServiceName, string> = {
  gateway: 'dist/bundle/main.js',
  'chat-worker': 'dist/bundle/main.js',
  retrieval: 'dist/main.js',
  web: 'dist/server/main.js',
};

interface Member {
  name: string;
  service: ServiceName;
  port: number;
}

function members(config: LauncherConfig): Member[] {
  return config.services.flatMap((service): Member[] => {
    const port = config.ports[service];
    if (service !== 'chat-worker') return [{ name: service, service, port }];
    return Array.from({ length: config.chatWorkers }, (_, index) => ({
      name: `chat-worker-${index + 1}`,
      service,
      port: port + index,
    }));
  });
}

/** The ports the fleet will listen on, each with the variable that changes it. */
export function wantedPorts(config: LauncherConfig): { name: string; port: number; variable: string }[] {
  return members(config).map(({ name, service, port }) => ({ name, port, variable: PORT_VARIABLES[service] }));
}

/** The processes of the fleet in the order they start; they stop in the reverse order. */
export function planFleet(config: LauncherConfig, addresses: FleetAddresses): ServiceProcess[] {
  const order: ServiceName[] = ['retrieval', 'chat-worker', 'gateway', 'web'];
  const planned = members(config).sort((a, b) => order.indexOf(a.service) - order.indexOf(b.service));
  // The pages hold no connection to Postgres, so they take no share of the pool.
  const withPool = planned.filter(({ service }) => service !== 'web').length;
  return planned.map(({ name, service, port }) => ({
    name,
    entry: join(config.root, 'services', service, ENTRIES[service]),
    port,
    log: join(config.dataDir, 'logs', `${name}.log`),
    cwd: config.root,
    env: {
      ...config.inherited,
      HOST: config.host,
      PORT: String(port),
      DATABASE_URL: addresses.databaseUrl,
      REDIS_URL: addresses.redisUrl,
      JWT_SECRET_KEY: addresses.jwtSecret,
      RETRIEVAL_TOKEN: addresses.retrievalToken,
      RETRIEVAL_URL: config.inherited.RETRIEVAL_URL || `http://127.0.0.1:${config.ports.retrieval}`,
      GATEWAY_URL: config.inherited.GATEWAY_URL || `http://127.0.0.1:${config.ports.gateway}`,
      PUBLIC_WEB_URL: config.publicWebUrl,
      PUBLIC_GATEWAY_URL: config.publicGatewayUrl,
      FLEET_PROCESSES: String(Math.max(1, withPool)),
      SIDESTAGE_DATA_DIR: config.dataDir,
    },
  }));
}
