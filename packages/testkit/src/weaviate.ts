import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findFreePort, findOnPath, type OwnedProcess, startOwnedProcess } from '@sidestage/embedded';
import { cacheFolder } from './config.js';
import { waitFor } from './wait-for.js';

const READY_WITHIN_MS = 60_000;

export interface TestWeaviate {
  readonly url: string;
  /** SIGSTOP: it takes connections and answers nothing. */
  freeze(): void;
  resume(): void;
  /** SIGKILL; its address refuses connections until `restart`. */
  kill(): Promise<void>;
  /** Starts it again at the same address, after `kill`, on its data or (`wipe`) on nothing. */
  restart(options?: { wipe?: boolean }): Promise<void>;
  stop(): Promise<void>;
}

function findWeaviate(): string | undefined {
  const cached = join(cacheFolder(), 'bin', 'weaviate-server');
  return existsSync(cached) ? cached : findOnPath(['weaviate-server']);
}

/** Why tests against a real Weaviate must be skipped, or undefined where it can be started. */
export function weaviateMissing(): string | undefined {
  if (findWeaviate()) return undefined;
  return `no weaviate-server in ${join(cacheFolder(), 'bin')} or on PATH; npm test builds it where Go is installed`;
}

/**
 * Starts a real Weaviate of this test's own on a throw-away folder.
 * @throws where {@link weaviateMissing} has a reason, or it is not ready within 60 s.
 */
export async function startWeaviate(): Promise<TestWeaviate> {
  const command = findWeaviate();
  if (!command) throw new Error(weaviateMissing());
  const folder = mkdtempSync(join(tmpdir(), 'sidestage-weaviate-'));
  const [port, gossip, data, raft, raftInternal, grpc] = await Promise.all(
    Array.from({ length: 6 }, () => findFreePort()),
  );
  const dataFolder = join(folder, 'data');
  const options = {
    command,
    args: ['--host', '127.0.0.1', '--port', String(port), '--scheme', 'http'],
    cwd: folder,
    logFile: join(folder, 'weaviate.log'),
    env: {
      PATH: process.env.PATH,
      HOME: folder,
      PERSISTENCE_DATA_PATH: dataFolder,
      AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED: 'true',
      DEFAULT_VECTORIZER_MODULE: 'none',
      // A misspelt class is an error and not a new class.
      AUTOSCHEMA_ENABLED: 'false',
      CLUSTER_HOSTNAME: 'node1',
      CLUSTER_ADVERTISE_ADDR: '127.0.0.1',
      CLUSTER_GOSSIP_BIND_PORT: String(gossip),
      CLUSTER_DATA_BIND_PORT: String(data),
      RAFT_PORT: String(raft),
      RAFT_INTERNAL_RPC_PORT: String(raftInternal),
      RAFT_BOOTSTRAP_EXPECT: '1',
      GRPC_PORT: String(grpc),
      DISABLE_TELEMETRY: 'true',
      GO_PROFILING_DISABLE: 'true',
      LOG_LEVEL: 'warning',
    },
  };
  const url = `http://127.0.0.1:${port}`;
  let child: OwnedProcess | undefined;
  const launch = async (): Promise<void> => {
    const started = await startOwnedProcess(options);
    child = started;
    await waitFor(
      async () => {
        if (!started.alive()) return 'ended';
        const response = await fetch(`${url}/v1/.well-known/ready`, { signal: AbortSignal.timeout(1_000) });
        return response.ok;
      },
      { timeoutMs: READY_WITHIN_MS, everyMs: 100, what: 'Weaviate to be ready' },
    );
    if (!started.alive()) throw new Error('Weaviate ended before it was ready');
  };
  const stop = async (): Promise<void> => {
    await child?.stop(15_000);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await launch();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url,
    freeze: () => child?.signal('SIGSTOP'),
    resume: () => child?.signal('SIGCONT'),
    async kill() {
      child?.signal('SIGKILL');
      await child?.exited;
    },
    async restart({ wipe = false } = {}) {
      if (wipe) rmSync(dataFolder, { recursive: true, force: true });
      await launch();
    },
    stop,
  };
}
