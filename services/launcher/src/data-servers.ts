import { join } from 'node:path';
import {
  type EmbeddedPostgres,
  type EmbeddedRedis,
  findFreePort,
  type OwnedProcess,
  startPostgres,
  startRedis,
} from '@sidestage/embedded';
import type { LauncherConfig } from './config.js';
import { turnOverLog } from './service-process.js';

/** Where they listen when nobody else does; near their usual ports, and not on them. */
const PREFERRED_POSTGRES_PORT = 54_320;
const PREFERRED_REDIS_PORT = 63_790;
const STOP_WITHIN_MS = 15_000;

/** A server of ours for data, that can be started again on the same port and data. */
export interface DataServer {
  name: 'postgres' | 'redis';
  port: number;
  log: string;
  start(): Promise<OwnedProcess>;
  stop(child: OwnedProcess): Promise<unknown>;
  /** Its address; known once it has started. */
  url(): string;
}

function addressOf(server: { url: string } | undefined): string {
  if (!server) throw new Error('asked for the address of a server that has not started');
  return server.url;
}

/** The embedded PostgreSQL. */
export async function planPostgres(config: LauncherConfig): Promise<DataServer> {
  const port = await findFreePort(PREFERRED_POSTGRES_PORT);
  const log = join(config.dataDir, 'logs', 'postgres.log');
  let server: EmbeddedPostgres | undefined;
  return {
    name: 'postgres',
    port,
    log,
    async start() {
      turnOverLog(log);
      server = await startPostgres({ dataDir: join(config.dataDir, 'postgres'), port, log });
      return server.process;
    },
    stop: (child) => child.stop(STOP_WITHIN_MS),
    url: () => addressOf(server),
  };
}

/** The Redis of our own, found or fetched. */
export async function planRedis(config: LauncherConfig, onProgress: (remark: string) => void): Promise<DataServer> {
  const port = await findFreePort(PREFERRED_REDIS_PORT);
  const log = join(config.dataDir, 'logs', 'redis.log');
  const dataDir = join(config.dataDir, 'redis');
  const toolsDir = join(config.dataDir, 'tools');
  let server: EmbeddedRedis | undefined;
  return {
    name: 'redis',
    port,
    log,
    async start() {
      turnOverLog(log);
      server = await startRedis({ dataDir, port, log, toolsDir, onProgress });
      return server.process;
    },
    stop: (child) => child.stop(STOP_WITHIN_MS),
    url: () => addressOf(server),
  };
}
