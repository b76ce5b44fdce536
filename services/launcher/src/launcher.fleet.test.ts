import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { commandOf, findFreePort, removePostgresFolder } from '@sidestage/embedded';
import { waitFor } from '@sidestage/testkit';
import type { RunEntry } from './run-file.js';

const entry = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const demo = fileURLToPath(new URL('../../../demo', import.meta.url));
const NAMES = ['chat-worker-1', 'chat-worker-2', 'gateway', 'postgres', 'redis', 'retrieval', 'web'];
const START_WITHIN_MS = 120_000;

let folder: string;
let ports: Record<string, string>;
let launcher: ChildProcess | undefined;
let output = '';

const dataDir = (): string => join(folder, 'data');
const readRun = (): RunEntry[] => JSON.parse(readFileSync(join(dataDir(), 'run.json'), 'utf8')) as RunEntry[];
const runs = ({ pid }: RunEntry): boolean => commandOf(pid) !== undefined;

async function start(): Promise<void> {
  output = '';
  const env = {
    ...process.env,
    ...ports,
    SIDESTAGE_DATA_DIR: dataDir(),
    DEMO_DIR: join(folder, 'demo'),
    NODE_OPTIONS: '',
  };
  const child = spawn(process.execPath, [entry], { env, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  launcher = child;
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (data) => {
      output += String(data);
    });
  }
  await waitFor(() => output.includes('Ctrl-C') || child.exitCode !== null, {
    timeoutMs: START_WITHIN_MS,
    what: () => output,
  });
  if (!output.includes('Ctrl-C')) throw new Error(output);
}

async function end(signal: NodeJS.Signals): Promise<number | null> {
  const child = launcher as ChildProcess;
  child.kill(signal);
  await waitFor(() => child.exitCode !== null || child.signalCode !== null, {
    timeoutMs: 60_000,
    what: 'the launcher to end',
  });
  return child.exitCode;
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sidestage-start-'));
  const creator = join(folder, 'demo', 'creators', 'dele-farrow');
  mkdirSync(creator, { recursive: true });
  cpSync(join(demo, 'creators', 'dele-farrow'), creator, { recursive: true });
  const names = ['GATEWAY_PORT', 'WORKER_PORT', 'RETRIEVAL_PORT', 'WEB_PORT'];
  const free = await Promise.all(names.map(() => findFreePort()));
  ports = { ...Object.fromEntries(names.map((name, index) => [name, String(free[index])])), CHAT_WORKERS: '2' };
  await start();
}, START_WITHIN_MS);

afterAll(async () => {
  if (launcher && launcher.exitCode === null && launcher.signalCode === null) await end('SIGTERM');
  removePostgresFolder(join(dataDir(), 'postgres'));
  rmSync(folder, { recursive: true, force: true });
}, 90_000);

describe('npm start', () => {
  test('lists every process, and makes the demo readable by us alone', async () => {
    const run = readRun();
    expect(run.map(({ name }) => name).sort()).toEqual(NAMES);
    expect(run.every(runs)).toBe(true);
    expect(run.every(({ log }) => existsSync(log))).toBe(true);
    const file = join(dataDir(), 'demo.json');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const keys = Object.keys(JSON.parse(readFileSync(file, 'utf8')) as object);
    expect(keys).toEqual(['gateway', 'api_keys', 'operator', 'creator', 'fan', 'tenant_id', 'creators']);
  });

  test('starts a killed service again, says so and lists the new process', async () => {
    const before = readRun().find(({ name }) => name === 'chat-worker-1') as RunEntry;
    process.kill(before.pid, 'SIGKILL');
    await waitFor(() => output.includes('chat-worker-1 is back'), { timeoutMs: 30_000, what: () => output });
    expect(output).toContain('chat-worker-1 ended by SIGKILL');
    const after = readRun().find(({ name }) => name === 'chat-worker-1') as RunEntry;
    expect(after.pid).not.toBe(before.pid);
    expect(runs(after)).toBe(true);
  });

  test('refuses a second start and says who runs', async () => {
    const env = { ...process.env, ...ports, SIDESTAGE_DATA_DIR: dataDir(), NODE_OPTIONS: '' };
    const second = spawn(process.execPath, [entry], { env, stdio: ['ignore', 'pipe', 'ignore'] });
    let said = '';
    second.stdout.on('data', (data) => {
      said += String(data);
    });
    await waitFor(() => second.exitCode !== null, { timeoutMs: 20_000, what: 'the second start to give up' });
    expect(second.exitCode).toBe(1);
    expect(said).toContain('Sidestage is running');
    expect(said).toContain(`kill ${launcher?.pid}`);
  });

  test('ends everything when asked, with 0 and no orphan, and keeps the data for the next start', async () => {
    const demoBefore = readFileSync(join(dataDir(), 'demo.json'), 'utf8');
    const run = readRun();
    expect(await end('SIGINT')).toBe(0);
    expect(run.filter(runs)).toEqual([]);
    expect(existsSync(join(dataDir(), 'run.json'))).toBe(false);
    await start();
    expect(output).not.toContain('demo creators');
    expect(readFileSync(join(dataDir(), 'demo.json'), 'utf8')).toBe(demoBefore);
  }, 150_000);

  test('leaves no orphan when it is killed', async () => {
    const run = readRun();
    await end('SIGKILL');
    await waitFor(() => !run.some(runs), { timeoutMs: 60_000, what: 'every part to end' });
  }, 90_000);
});
