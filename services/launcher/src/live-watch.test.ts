import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { waitFor } from '@sidestage/testkit';
import { Keeper } from './keeper.js';
import { askLive, watchLiveness } from './live-watch.js';
import { RunFile } from './run-file.js';
import { makeTerminal } from './terminal.js';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

/** A service that is ready and, the first time it is started, not live. */
const script = `
  const { existsSync, writeFileSync } = require('node:fs');
  const stuck = !existsSync(process.env.MARKER);
  writeFileSync(process.env.MARKER, '');
  require('node:http').createServer((request, response) => {
    const fine = request.url === '/health/ready' || !stuck;
    response.writeHead(fine ? 200 : 503, { 'content-type': 'application/json' });
    response.end(JSON.stringify(fine ? { status: 'ok' } : { detail: 'jobs wait and none was fetched for 31 s' }));
  }).listen(Number(process.env.PORT), '127.0.0.1');
`;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('a silent worker', () => {
  test('alive but without progress is ended, and its supervisor starts a clean one', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sidestage-live-'));
    cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
    const entry = join(folder, 'main.cjs');
    writeFileSync(entry, script);
    const said: string[] = [];
    const terminal = makeTerminal({ isTTY: false, write: (text) => said.push(text) }, true);
    const runFile = new RunFile(folder);
    const keeper = new Keeper(runFile, terminal, { everyMs: 30, misses: 3 });
    cleanups.unshift(() => keeper.stop());
    const port = await freePort();
    const env = { ...process.env, HOST: '127.0.0.1', PORT: String(port), MARKER: join(folder, 'started') };
    await keeper.startServices([{ name: 'worker', entry, port, log: join(folder, 'worker.log'), env, cwd: folder }]);
    const [first] = runFile.readLeftovers();
    await waitFor(() => said.join('').includes('worker is back'), { timeoutMs: 20_000, what: 'the restart' });
    expect(said.join('')).toContain('worker makes no progress (jobs wait and none was fetched for 31 s); ending it');
    const [second] = runFile.readLeftovers();
    expect(second?.pid).not.toBe(first?.pid);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(runFile.readLeftovers()).toEqual([second]);
    expect(await askLive(port, '127.0.0.1')).toBeNull();
  });

  test('frozen, so that it answers nothing, counts as without progress too', async () => {
    const server = createServer(() => undefined).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    cleanups.push(() => {
      server.closeAllConnections();
      server.close();
    });
    const { port } = server.address() as AddressInfo;
    expect(await askLive(port, '127.0.0.1')).toBe('no answer within 3 s');
  });

  test('is left alone when it misses now and then but never so often in a row', async () => {
    let asked = 0;
    let stuck = false;
    const stop = watchLiveness({
      ask: async () => (asked++ % 3 === 0 ? null : 'busy'),
      onStuck: () => {
        stuck = true;
      },
      everyMs: 5,
      misses: 3,
    });
    cleanups.push(stop);
    await waitFor(() => asked > 30);
    expect(stuck).toBe(false);
  });
});
