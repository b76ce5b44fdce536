import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type OwnedProcess, startOwnedProcess } from '@sidestage/embedded';
import { waitFor } from './wait-for.js';

const READY_WITHIN_MS = 60_000;
const services = fileURLToPath(new URL('../../../services', import.meta.url));

export type FleetService = 'gateway' | 'chat-worker' | 'retrieval' | 'web';

const entries: Record<FleetService, string> = {
  gateway: 'gateway/dist/bundle/main.js',
  'chat-worker': 'chat-worker/dist/bundle/main.js',
  retrieval: 'retrieval/dist/main.js',
  web: 'web/dist/server/main.js',
};

/** One process of a test fleet, the compiled service itself. */
export interface FleetProcess {
  readonly name: string;
  readonly url: string;
  readonly port: number;
  /** Of the process that runs now, or ran last. */
  readonly pid: number;
  alive(): boolean;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** SIGSTOP: alive and silent. */
  freeze(): void;
  resume(): void;
  /** SIGTERM; SIGKILL after `deadlineMs` (default 20,000). Resolves with the exit code, null after a signal. */
  stop(deadlineMs?: number): Promise<number | null>;
  /** Starts it again on the same port after {@link kill} or {@link stop}, and waits until it is ready. */
  start(): Promise<void>;
  /** The file everything it logs goes to, over all its starts. */
  readonly logFile: string;
  /** Everything it has logged. */
  log(): string;
}

export interface FleetProcessOptions {
  name: string;
  service: FleetService;
  port: number;
  env: Record<string, string>;
  folder: string;
}

async function isReady(url: string): Promise<boolean> {
  const response = await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(1_000) });
  await response.body?.cancel();
  return response.ok;
}

/** A process that has not been started yet: {@link FleetProcess.start} does. */
export function makeFleetProcess({ name, service, port, env, folder }: FleetProcessOptions): FleetProcess {
  const url = `http://127.0.0.1:${port}`;
  const logFile = join(folder, `${name}.log`);
  let child: OwnedProcess | undefined;
  const log = (): string => {
    try {
      return readFileSync(logFile, 'utf8');
    } catch {
      return '';
    }
  };
  return {
    name,
    url,
    port,
    logFile,
    get pid() {
      return child?.pid ?? 0;
    },
    alive: () => child?.alive() ?? false,
    async kill() {
      child?.signal('SIGKILL');
      await child?.exited;
    },
    freeze: () => child?.signal('SIGSTOP'),
    resume: () => child?.signal('SIGCONT'),
    stop: async (deadlineMs = 20_000) => (await child?.stop(deadlineMs))?.code ?? null,
    async start() {
      const entry = join(services, entries[service]);
      // Only what a service is told counts: nothing of the environment the tests run in.
      const base = { PATH: process.env.PATH, HOME: process.env.HOME, TMPDIR: process.env.TMPDIR };
      const started = await startOwnedProcess({
        command: process.execPath,
        args: ['--enable-source-maps', entry],
        env: { ...base, HOST: '127.0.0.1', PORT: String(port), ...env },
        logFile,
      });
      child = started;
      const ready = await waitFor(async () => !started.alive() || (await isReady(url)), {
        timeoutMs: READY_WITHIN_MS,
        what: `${name} to be ready`,
      }).catch((error: unknown) => error);
      if (ready !== true || !started.alive()) {
        await started.stop(1_000);
        throw new Error(`${name} did not start:\n${log().slice(-4_000)}`, { cause: ready });
      }
    },
    log,
  };
}
