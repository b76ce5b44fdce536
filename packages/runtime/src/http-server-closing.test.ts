import { Agent, request, type ServerResponse } from 'node:http';
import { afterEach, expect, test } from '@jest/globals';
import { closeServer, endKeepAlive, listen, makeHttpServer } from './http-server.js';

const waiting: ServerResponse[] = [];
const server = makeHttpServer((incoming, response) => {
  if (incoming.url === '/begun') response.write('begun');
  if (incoming.url === '/') response.end('fine');
  else waiting.push(response);
});
const agent = new Agent({ keepAlive: true, maxSockets: 8 });
let port = 0;

afterEach(async () => {
  agent.destroy();
  await closeServer(server, 0);
});

/** The answer's `Connection`, and whether the server closes that connection after it, within a quarter of a second. */
function get(path: string, onHead = () => {}): Promise<{ connection: string; closed: boolean }> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path, agent }, (response) => {
      const { socket, headers } = response;
      const tell = (closed: boolean) => resolve({ connection: String(headers.connection), closed });
      onHead();
      response.resume().on('end', () => setTimeout(() => tell(socket.destroyed || !socket.writable), 250));
    });
    sent.on('error', reject).end();
  });
}

test('a server that leaves gives each connection up with its next answer, those under way too, and takes new ones until it is closed', async () => {
  port = await listen(server, 0, '127.0.0.1');
  expect(await get('/')).toEqual({ connection: 'keep-alive', closed: false });
  const late = get('/late');
  const begun = get('/begun', () => {
    endKeepAlive(server);
    for (const response of waiting) response.end('at last');
  });
  expect(await late).toEqual({ connection: 'close', closed: true });
  // Its head was written before, and promised more than is kept.
  expect(await begun).toEqual({ connection: 'keep-alive', closed: true });
  expect(await get('/')).toEqual({ connection: 'close', closed: true });
});
