import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.js';
import { waitFor } from './wait-for.js';

describe('a proxy that fails as networks do', () => {
  let server: Server;
  let proxy: TcpProxy;
  let behind: Socket[];
  const clients: Socket[] = [];

  beforeEach(async () => {
    behind = [];
    server = createServer((socket) => {
      behind.push(socket);
      socket.on('error', () => undefined);
      socket.on('data', (data) => socket.write(data));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    proxy = await startTcpProxy({ target: `127.0.0.1:${(server.address() as AddressInfo).port}` });
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.destroy();
    await proxy.close();
    for (const socket of behind) socket.destroy();
    server.close();
  });

  async function open(): Promise<{ socket: Socket; heard: () => string; error: () => string | undefined }> {
    const socket = connect({ host: '127.0.0.1', port: proxy.port });
    clients.push(socket);
    let heard = '';
    let error: string | undefined;
    socket.on('data', (data) => {
      heard += data.toString();
    });
    socket.on('error', (cause: NodeJS.ErrnoException) => {
      error = cause.code;
    });
    await once(socket, 'connect');
    return { socket, heard: () => heard, error: () => error };
  }

  test('carries data both ways, in order, also late', async () => {
    const { socket, heard } = await open();
    socket.write('one ');
    proxy.delay(50);
    const start = performance.now();
    for (const word of ['two ', 'three ', 'four']) socket.write(word);
    await waitFor(() => heard() === 'one two three four');
    expect(performance.now() - start).toBeGreaterThanOrEqual(90);
  });

  test('held it carries nothing and shows no end; healed it resets what was held', async () => {
    const { socket, heard, error } = await open();
    await waitFor(() => proxy.connections === 1);
    socket.write('before ');
    await waitFor(() => heard() === 'before ');
    proxy.hold();
    socket.write('lost');
    behind[0]?.end();
    const late = await open();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect([heard(), socket.destroyed, error()]).toEqual(['before ', false, undefined]);
    proxy.heal();
    await waitFor(() => socket.destroyed && late.socket.destroyed);
    const fresh = await open();
    fresh.socket.write('again');
    await waitFor(() => fresh.heard() === 'again');
  });

  test('cuts connections with a reset, and refuses new ones when told', async () => {
    const { error } = await open();
    await waitFor(() => proxy.connections === 1);
    expect(proxy.cut()).toBe(1);
    await waitFor(() => error() === 'ECONNRESET');
    proxy.refuse();
    const refused = connect({ host: '127.0.0.1', port: proxy.port });
    await expect(once(refused, 'close')).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(behind).toHaveLength(1);
  });

  test('lets a slow reader have so many bytes a second and no more', async () => {
    const { socket, heard } = await open();
    proxy.throttle(10_000);
    const start = performance.now();
    for (let index = 0; index < 3; index++) {
      socket.write('x'.repeat(1_000));
      await waitFor(() => heard().length === (index + 1) * 1_000);
    }
    expect(performance.now() - start).toBeGreaterThanOrEqual(250);
  });
});
