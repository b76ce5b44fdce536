import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';

/** A client that asks for a long reply and reads nothing of it. */
export interface StalledReader {
  close(): void;
}

interface Target {
  url: string;
  key: string;
  messageId: string;
}

/** Longer than a gateway bears with it on a socket: cut, it comes back, as broken clients do. Milliseconds. */
const comeBackMs = 12_000;

/** The client's frames of a WebSocket, masked as the protocol wants it. */
function frame(text: string): Buffer {
  const body = Buffer.from(text);
  const mask = randomBytes(4);
  const head = Buffer.concat([Buffer.from([0x81, 0x80 | body.length]), mask]);
  return Buffer.concat([head, body.map((byte, at) => byte ^ (mask[at % 4] ?? 0))]);
}

function askOverSse({ url, key, messageId }: Target, socket: Socket): void {
  const { host } = new URL(url);
  socket.write(
    `GET /api/v1/messages/${messageId}/events HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${key}\r\n\r\n`,
  );
}

function askOverSocket({ url, key, messageId }: Target, socket: Socket): void {
  const { host } = new URL(url);
  const lines = [
    'GET /ws/new/stalled HTTP/1.1',
    `Host: ${host}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
    `Sec-WebSocket-Protocol: sidestage, bearer.${key}`,
  ];
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  socket.once('readable', () => {
    socket.write(frame(JSON.stringify({ type: 'resume', message_id: messageId, last_seq: 0 })));
  });
}

/** Opens one, over a stream or a WebSocket; it takes what its kernel takes and no more. */
export function stall(target: Target, over: 'sse' | 'socket'): StalledReader {
  const { hostname, port } = new URL(target.url);
  let socket: Socket;
  const open = (): void => {
    socket = connect({ host: hostname, port: Number(port) });
    socket.on('error', () => undefined);
    // Unread: nobody listens for data.
    (over === 'sse' ? askOverSse : askOverSocket)(target, socket);
  };
  open();
  const timer = setInterval(
    () => {
      socket.destroy();
      open();
    },
    comeBackMs + Math.random() * comeBackMs,
  );
  return {
    close() {
      clearInterval(timer);
      socket.destroy();
    },
  };
}
