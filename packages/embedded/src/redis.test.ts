import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { findOnPath, findRedis } from './find-redis.js';
import { type EmbeddedRedis, startRedis } from './redis.js';

let folder: string;
let running: EmbeddedRedis | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sidestage-redis-'));
});
afterEach(async () => {
  await running?.stop();
  running = undefined;
  rmSync(folder, { recursive: true, force: true });
});

function command(port: number, words: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.write(`${words}\r\n`));
    socket.once('error', reject);
    socket.once('data', (data) => {
      socket.destroy();
      resolve(data.toString('utf8'));
    });
  });
}

describe('the embedded Redis', () => {
  test('never evicts: a queue in it would lose jobs', async () => {
    running = await startRedis({ dataDir: folder });
    expect(await command(running.port, 'CONFIG GET maxmemory-policy')).toContain('noeviction');
    expect(await command(running.port, 'CONFIG GET appendfsync')).toContain('everysec');
  });

  test('keeps what was written over a kill, on the same port', async () => {
    running = await startRedis({ dataDir: folder });
    expect(await command(running.port, 'SET kept 7')).toBe('+OK\r\n');
    const { port } = running;
    running.process.signal('SIGKILL');
    await running.process.exited;
    running = await startRedis({ dataDir: folder, port });
    expect(await command(port, 'GET kept')).toBe('$1\r\n7\r\n');
  });

  test('says where to look when it cannot start', async () => {
    running = await startRedis({ dataDir: folder });
    await expect(startRedis({ dataDir: folder, port: running.port })).rejects.toThrow(/Redis did not start/);
  });
});

describe('finding Redis', () => {
  test('takes valkey-server where there is no redis-server', () => {
    const program = join(folder, 'valkey-server');
    writeFileSync(program, '#!/bin/sh\n');
    chmodSync(program, 0o755);
    expect(findOnPath(['redis-server', 'valkey-server'], folder)).toBe(program);
  });

  test('names the one command to run where it can be neither found nor fetched', async () => {
    const path = process.env.PATH;
    process.env.PATH = folder;
    try {
      await expect(findRedis()).rejects.toMatchObject({
        message: expect.stringContaining('Redis is missing'),
        mend: expect.stringMatching(/(apt-get|brew) install redis/),
      });
    } finally {
      process.env.PATH = path;
    }
  });
});
