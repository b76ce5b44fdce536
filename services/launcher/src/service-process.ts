import { existsSync, readFileSync, renameSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { type OwnedProcess, startOwnedProcess } from '@sidestage/embedded';
import { LaunchError } from './launch-error.js';
import { describeExit } from './supervised.js';

const READY_WITHIN_MS = 60_000;
const LOG_KEPT_BYTES = 10 * 1024 * 1024;

export interface ServiceProcess {
  name: string;
  /** The compiled `main.js`. */
  entry: string;
  port: number;
  log: string;
  env: NodeJS.ProcessEnv;
  cwd: string;
}

/** Whether `GET /health/ready` answers 200 within a second. */
function isReady(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = request({ port, host, path: '/health/ready', timeout: 1_000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    probe.on('timeout', () => probe.destroy());
    probe.on('error', () => resolve(false));
    probe.end();
  });
}

/** The last words of a log that a person can read: plain text where there is some, else the last JSON line's message. */
export function lastWords(log: string): string {
  if (!existsSync(log)) return '';
  const lines = readFileSync(log, 'utf8').trimEnd().split('\n').slice(-40);
  const plain = lines.filter((line) => line !== '' && !line.startsWith('{') && !/^\s+at /.test(line));
  if (plain.length > 0) return plain.slice(-3).join(' ').trim();
  const message = /"msg":"((?:[^"\\]|\\.)*)"/.exec(lines.at(-1) ?? '')?.[1];
  return message ?? lines.at(-1) ?? '';
}

/** Keeps one earlier log once the present one has grown past 10 MiB. */
export function turnOverLog(log: string): void {
  if (existsSync(log) && statSync(log).size > LOG_KEPT_BYTES) renameSync(log, `${log}.1`);
}

/** Where a service is asked for its health. */
export function hostOf({ env }: Pick<ServiceProcess, 'env'>): string {
  return env.HOST === '0.0.0.0' ? '127.0.0.1' : (env.HOST ?? '127.0.0.1');
}

/**
 * Starts one service and waits until it says it is ready.
 * @throws {LaunchError} with the service's last words when it ends before or is not ready within 60 s.
 */
export async function startService(
  service: ServiceProcess,
  started: (child: OwnedProcess) => void,
): Promise<OwnedProcess> {
  turnOverLog(service.log);
  const begin = existsSync(service.log) ? statSync(service.log).size : 0;
  const child = await startOwnedProcess({
    command: process.execPath,
    args: ['--enable-source-maps', service.entry],
    cwd: service.cwd,
    env: service.env,
    logFile: service.log,
  });
  started(child);
  const host = hostOf(service);
  const end = performance.now() + READY_WITHIN_MS;
  while (child.alive() && performance.now() < end) {
    if (await isReady(service.port, host)) return child;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const grew = existsSync(service.log) && statSync(service.log).size > begin;
  const how = child.alive() ? `was not ready after ${READY_WITHIN_MS / 1000} s` : describeExit(await child.exited);
  if (child.alive()) await child.stop();
  const why = `it ${how}${grew ? `: ${lastWords(service.log)}` : ''}`;
  throw new LaunchError(`${service.name} did not start`, why, `tail ${service.log}`);
}
