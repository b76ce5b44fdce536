import { chmodSync, mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { EmbeddedError } from './embedded-error.js';
import { type FindRedisOptions, findRedis } from './find-redis.js';
import { type OwnedProcess, startOwnedProcess } from './owned-process.js';
import { findFreePort } from './ports.js';
import { poll } from './wait.js';

const READY_WITHIN_MS = 30_000;

export interface StartRedisOptions extends FindRedisOptions {
  /** Its folder; kept between starts. Made when missing, readable by us alone. */
  dataDir: string;
  /** Default: any free port. */
  port?: number;
  /** Whether it writes an append-only file, synced each second (default true). Off: nothing survives its end. */
  appendonly?: boolean;
  /** Default: `redis.log` in the data folder. */
  log?: string;
  /** Words before its command: a program that becomes it (`exec`). */
  prefix?: readonly string[];
}

export interface EmbeddedRedis {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly process: OwnedProcess;
  /** Ends it; with the append-only file nothing is lost. */
  stop(deadlineMs?: number): Promise<void>;
}

/** Whether the server on `port` is process `pid` and has loaded its data; false where it does not answer in time. */
function isReady(port: number, pid: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const end = (ready: boolean): void => {
      socket.destroy();
      resolve(ready);
    };
    let answer = '';
    socket.setTimeout(500, () => end(false));
    socket.once('error', () => end(false));
    socket.once('connect', () => socket.write('INFO server\r\nPING\r\n'));
    socket.on('data', (data) => {
      answer += data.toString('utf8');
      // Another server may hold the port while ours is about to give up.
      if (/\+PONG\r\n$/.test(answer)) end(answer.includes(`process_id:${pid}\r\n`));
      else if (/-LOADING[^\n]*\r\n$/.test(answer)) end(false);
    });
  });
}

/**
 * Starts a Redis server on loopback that never evicts (a queue in it would lose jobs), as a child that cannot outlive
 * us. Resolves when it has loaded its data and answers.
 * @throws {EmbeddedError} when it is not to be had, or does not come up within 30 s.
 */
export async function startRedis(options: StartRedisOptions): Promise<EmbeddedRedis> {
  const program = await findRedis(options);
  const port = options.port ?? (await findFreePort());
  mkdirSync(options.dataDir, { recursive: true });
  chmodSync(options.dataDir, 0o700);
  const logFile = options.log ?? join(options.dataDir, 'redis.log');
  const settings: Record<string, string> = {
    bind: '127.0.0.1',
    port: String(port),
    dir: options.dataDir,
    save: '',
    appendonly: options.appendonly === false ? 'no' : 'yes',
    appendfsync: 'everysec',
    'maxmemory-policy': 'noeviction',
    daemonize: 'no',
  };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  const [command = program.path, ...words] = [...(options.prefix ?? []), program.path, ...args];
  const child = await startOwnedProcess({
    command,
    args: words,
    env: program.env,
    cwd: options.dataDir,
    logFile,
  });
  try {
    await poll({
      attempt: async () => ((await isReady(port, child.pid)) ? true : undefined),
      everyMs: 20,
      withinMs: READY_WITHIN_MS,
      gaveUp: () => !child.alive(),
      tooLate: () => new EmbeddedError('Redis did not start', `see ${logFile}`, `tail ${logFile}`),
    });
  } catch (error) {
    await child.stop(0);
    throw error;
  }
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    pid: child.pid,
    process: child,
    async stop(deadlineMs = 10_000) {
      await child.stop(deadlineMs);
    },
  };
}
