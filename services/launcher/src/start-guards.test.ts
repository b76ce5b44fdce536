import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { findFreePort } from '@sidestage/embedded';
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
