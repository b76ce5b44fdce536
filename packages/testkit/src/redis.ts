import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EmbeddedRedis, findFreePort, startRedis } from '@sidestage/embedded';
import { cacheFolder } from './config.js';

export interface TestRedis {
  readonly url: string;
  readonly port: number;
  /** Of the server that runs now; another after {@link restart}. */
  readonly pid: number;
  /** SIGKILL: what was not yet in the append-only file is lost, as is everything without one. */
  kill(): Promise<void>;
  /** Its files can grow no more, as on a full disk: with an append-only file it soon refuses every write. */
  fillDisk(): void;
  freeDisk(): void;
  /** SIGSTOP: it takes connections and answers nothing. */
  freeze(): void;
  resume(): void;
  /** Starts it again on the same port and data, ending it first where it still runs. `wipe` drops the data. */
  restart(options?: { wipe?: boolean }): Promise<void>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

/** Out of room it shall get an error as on a full disk, and not a signal that ends it. */
const surviveFileLimits = ['sh', '-c', 'trap "" XFSZ; exec "$@"', 'redis'];

/**
 * A Redis server of this test's own (two logical databases of one server would still share publish and subscribe).
 * Without `appendonly` nothing survives {@link TestRedis.kill}.
 */
export async function makeTestRedis(options: { appendonly?: boolean } = {}): Promise<TestRedis> {
  const dataDir = mkdtempSync(join(tmpdir(), 'sidestage-redis-'));
  const port = await findFreePort();
  const toolsDir = join(cacheFolder(), 'tools');
  const start = (): Promise<EmbeddedRedis> =>
    startRedis({ dataDir, port, toolsDir, appendonly: options.appendonly === true, prefix: surviveFileLimits });
  let server = await start();
  return {
    url: server.url,
    port,
    get pid() {
      return server.pid;
    },
    async kill() {
      server.process.signal('SIGKILL');
      await server.process.exited;
    },
    fillDisk: () => limitFiles(server.pid, '0'),
    freeDisk: () => limitFiles(server.pid, 'unlimited'),
    freeze: () => server.process.signal('SIGSTOP'),
    resume: () => server.process.signal('SIGCONT'),
    async restart({ wipe = false } = {}) {
      await server.stop();
      if (wipe) rmSync(dataDir, { recursive: true, force: true });
      server = await start();
    },
    async stop() {
      await server.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** Of util-linux, which every Debian has. */
function limitFiles(pid: number, size: string): void {
  execFileSync('prlimit', ['--pid', String(pid), `--fsize=${size}:unlimited`]);
}
