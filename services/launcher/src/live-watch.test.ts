import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { type OwnedProcess, startOwnedProcess } from '@sidestage/embedded';
import { waitFor } from '@sidestage/testkit';
import { askLive, watchLiveness } from './live-watch.js';
import { makeSupervised, type Supervised } from './supervised.js';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

/** A service whose `/health/live` answers what its parent tells it, and at first with 200. */
const script = `
  let stuck = process.env.STUCK === 'yes';
  require('node:http').createServer((request, response) => {
    response.writeHead(stuck ? 503 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(stuck ? { detail: 'jobs wait and none was fetched for 31 s' } : { status: 'ok' }));
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
    const port = await freePort();
    const started: OwnedProcess[] = [];
    const said: string[] = [];
    const supervised: Supervised = makeSupervised({
      start: async () => {
        const child = await startOwnedProcess({
          command: process.execPath,
          args: ['-e', script],
          env: { ...process.env, PORT: String(port), STUCK: started.length === 0 ? 'yes' : 'no' },
        });
        await waitFor(() => fetch(`http://127.0.0.1:${port}/health/live`), { what: 'the service to listen' });
        const stopWatching = watchLiveness({
          ask: () => askLive(port, '127.0.0.1'),
          onStuck: (why) => {
            said.push(why);
            void child.stop(1_000);
          },
          everyMs: 30,
          misses: 3,
        });
        void child.exited.then(stopWatching);
        return child;
      },
      stop: (child) => child.stop(1_000),
      onStarted: (child) => started.push(child),
      onCrash: () => undefined,
      onRecovered: () => said.push('back'),
      onFailed: () => undefined,
      firstDelayMs: 10,
    });
    cleanups.push(() => supervised.stop());
    await supervised.start();
    await waitFor(() => said.includes('back'), { what: 'the restart' });
    expect(said).toEqual(['jobs wait and none was fetched for 31 s', 'back']);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(started).toHaveLength(2);
    expect(started[1]?.alive()).toBe(true);
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
