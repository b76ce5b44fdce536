import { migrate } from '@sidestage/store';
import {
  type FleetProcess,
  type ModelBehaviour,
  type ModelProcess,
  makeTestPostgres,
  makeTestRedis,
  startFleet,
  startModelProcess,
  type TestPostgres,
  type TestRedis,
} from '@sidestage/testkit';
import { directEdges, type Edges, startEdges } from './edges.js';
import { makeCreator, makeStageTenant, type StageTenant } from './tenant.js';

/** A whole fleet with servers of its own, and a network between all parts that can fail. */
export interface Stage {
  gateways: readonly FleetProcess[];
  workers: readonly FleetProcess[];
  retrieval: FleetProcess;
  postgres: TestPostgres;
  redis: TestRedis;
  model: ModelProcess;
  edges: Edges;
  tenant: StageTenant;
  creatorId: string;
  /** Where fans reach the gateways: through the network that can fail. */
  addresses: readonly string[];
  stop(): Promise<void>;
}

export interface StageOptions {
  gateways: number;
  workers: number;
  fans: number;
  /** Whether what the parts say to each other goes through a network that can fail. It costs a tenth of the machine. */
  network: boolean;
}

/** A reply of some forty words in half a second. */
export const usualModel: ModelBehaviour = { wordsPerChunk: 8, tokenDelayMs: 70 };
/** The same reply over a minute: whoever fails meanwhile finds it under way. */
export const slowModel: ModelBehaviour = { wordsPerChunk: 1, tokenDelayMs: 3_000 };

const hostOf = (url: string): string => new URL(url).host;

function through(url: string, address: string): string {
  const changed = new URL(url);
  changed.host = address;
  return changed.toString();
}

/** Starts it; what has started is ended where a later part does not. */
export async function openStage({ gateways, workers, fans, network }: StageOptions): Promise<Stage> {
  const cleanups: (() => Promise<unknown>)[] = [];
  const stop = async (): Promise<void> => {
    for (let cleanup = cleanups.pop(); cleanup; cleanup = cleanups.pop()) await cleanup();
  };
  try {
    const edges = network ? startEdges() : directEdges;
    cleanups.push(() => edges.close());
    const [postgres, redis, model] = await Promise.all([
      makeTestPostgres({ migrate }),
      makeTestRedis({ appendonly: true }),
      startModelProcess('gemini'),
    ]);
    cleanups.push(
      () => postgres.drop(),
      () => redis.stop(),
      () => model.close(),
    );
    await model.behave(usualModel);
    const tenant = await makeStageTenant(postgres.url, fans);
    const modelAddress = await edges.open('chat-worker-model', hostOf(model.url));
    /** One edge for all processes of a kind. */
    const opened = new Map<string, Promise<string>>();
    const edge = (name: string, target: string): Promise<string> => {
      const known = opened.get(name) ?? edges.open(name, target);
      opened.set(name, known);
      return known;
    };
    const fleet = await startFleet({
      gateways,
      workers,
      model: 'none',
      database: postgres,
      redis,
      env: {
        MODEL_LADDER: 'gemini',
        GOOGLE_API_KEY: 'chaos',
        GOOGLE_BASE_URL: through(model.url, modelAddress),
        WORKER_CONCURRENCY: '100',
        DB_POOL_MAX: '30',
        // Few turns are asked again by themselves: what is answered late shall be seen, not given up.
        TURN_DEADLINE_MS: '180000',
      },
      async envOf(name, env) {
        const kind = name.replace(/-\d+$/, '');
        const [redisAddress, postgresAddress, retrievalAddress] = await Promise.all([
          edge(`${kind}-redis`, hostOf(redis.url)),
          edge(`${kind}-postgres`, hostOf(postgres.url)),
          edge(`${kind}-retrieval`, hostOf(env.RETRIEVAL_URL ?? '')),
        ]);
        return {
          REDIS_URL: through(redis.url, redisAddress),
          DATABASE_URL: through(postgres.url, postgresAddress),
          RETRIEVAL_URL: `http://${retrievalAddress}`,
        };
      },
    });
    cleanups.push(() => fleet.stop());
    const { retrieval } = fleet;
    const [first] = fleet.gateways;
    if (!retrieval || !first) throw new Error('the fleet has no gateway or no retrieval');
    const addresses = await Promise.all(
      fleet.gateways.map(async ({ name, port }) => `http://${await edges.open(`fans-${name}`, `127.0.0.1:${port}`)}`),
    );
    const creatorId = await makeCreator(first.url, tenant.keys[0] ?? '');
    return {
      gateways: fleet.gateways,
      workers: fleet.workers,
      retrieval,
      postgres,
      redis,
      model,
      edges,
      tenant,
      creatorId,
      addresses,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
