import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { findFreePort } from '@sidestage/embedded';
import { checkReachable, refusedBy } from './outside-servers.js';
import { checkPorts } from './port-holder.js';
import { readSecrets } from './private-files.js';
import { RunFile } from './run-file.js';
import { claimDataFolder } from './single-run.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sidestage-launcher-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('before a start', () => {
  test('a port in use names who has it and the variable that changes it', async () => {
    const port = await findFreePort();
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    try {
      const wanted = [{ name: 'gateway', port, variable: 'GATEWAY_PORT' }];
      await expect(checkPorts(wanted, '127.0.0.1')).rejects.toMatchObject({
        what: `Port ${port} is in use`,
        why: expect.stringContaining('gateway needs it'),
        mend: expect.stringContaining('GATEWAY_PORT='),
      });
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  test('a server the environment names is asked for, and the variable named where nobody answers', async () => {
    const port = await findFreePort();
    const own = { name: 'Redis', url: `redis://127.0.0.1:${port}`, variables: 'REDIS_URL', usualPort: 6379 } as const;
    await expect(checkReachable(own)).rejects.toMatchObject({
      what: 'Redis cannot be reached',
      why: expect.stringMatching(new RegExp(`^REDIS_URL names 127.0.0.1:${port}: .*ECONNREFUSED`)),
      mend: expect.stringContaining('unset REDIS_URL'),
    });
    const server = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    try {
      expect(await checkReachable(own)).toBe(`127.0.0.1:${port}`);
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  test('a database that refuses the password says which variable to correct; another error stays as it is', () => {
    const own = { name: 'PostgreSQL', url: 'postgres://x', variables: 'DATABASE_URL', usualPort: 5432 } as const;
    const refusal = Object.assign(new Error('password authentication failed for user "x"'), { code: '28P01' });
    expect(refusedBy(own, refusal)).toMatchObject({
      what: 'PostgreSQL refuses',
      mend: expect.stringMatching(/^correct DATABASE_URL/),
    });
    const other = new Error('syntax error');
    expect(refusedBy(own, other)).toBe(other);
  });

  test('two services on one port are refused before either starts', async () => {
    const port = await findFreePort();
    const wanted = [
      { name: 'gateway', port, variable: 'GATEWAY_PORT' },
      { name: 'web', port, variable: 'WEB_PORT' },
    ];
    await expect(checkPorts(wanted, '127.0.0.1')).rejects.toMatchObject({ why: 'by gateway and by web' });
  });

  test('a claim left by a process that is gone is taken over', () => {
    writeFileSync(join(folder, 'launcher.pid'), '4194303\n');
    const release = claimDataFolder(folder);
    release();
    claimDataFolder(folder)();
  });

  test('secrets are made once and readable by us alone', () => {
    const first = readSecrets(folder);
    expect(readSecrets(folder)).toEqual(first);
    expect(first.jwt_secret_key.length).toBeGreaterThanOrEqual(32);
    expect(statSync(join(folder, 'secrets.json')).mode & 0o777).toBe(0o600);
  });

  test('run.json is what the next start finds, and is gone after a good end', () => {
    const file = new RunFile(folder);
    file.set({ name: 'gateway', pid: 7, port: 8000, log: 'g.log' });
    file.set({ name: 'web', pid: 8, port: 3000, log: 'w.log' });
    file.set({ name: 'gateway', pid: 9, port: 8000, log: 'g.log' });
    file.delete('web');
    expect(new RunFile(folder).readLeftovers()).toEqual([{ name: 'gateway', pid: 9, port: 8000, log: 'g.log' }]);
    file.remove();
    expect(new RunFile(folder).readLeftovers()).toEqual([]);
  });
});
