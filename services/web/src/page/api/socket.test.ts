import { describe, expect, it, jest } from '@jest/globals';
import { ReplySocket, type SocketState } from './socket.js';

class FakeSocket {
  readyState = 1;
  sent: string[] = [];
  onmessage: ((message: { data: string }) => void) | null = null;
  onclose: (() => void) | null = null;
  constructor(
    readonly address: string,
    readonly protocols: string[],
  ) {}
  send(data: string) {
    this.sent.push(data);
  }
  close() {
    this.readyState = 3;
    this.onclose?.();
  }
  ready() {
    this.onmessage?.({ data: '{"type":"ready","session_id":"s","client_id":"c"}' });
  }
}

function makeSocketUnderTest() {
  const sockets: FakeSocket[] = [];
  const states: SocketState[] = [];
  let tokens = 0;
  const socket = new ReplySocket({
    address: () => 'ws://gateway/ws/new/c',
    token: async () => {
      tokens += 1;
      return `t${tokens}`;
    },
    onFrame: () => undefined,
    onState: (state) => states.push(state),
    makeSocket: (address, protocols) => {
      const made = new FakeSocket(address, protocols);
      sockets.push(made);
      return made as unknown as WebSocket;
    },
    random: () => 0.5,
  });
  return { socket, sockets, states };
}
const settle = () => jest.advanceTimersByTimeAsync(0);

describe('ReplySocket', () => {
  it('comes back after a cut with a fresh token, and is open only once the server is ready', async () => {
    jest.useFakeTimers();
    const { socket, sockets, states } = makeSocketUnderTest();
    await socket.connect();
    expect(socket.send({ type: 'ping' })).toBe(false);
    sockets[0]?.ready();
    expect(socket.send({ type: 'ping' })).toBe(true);
    sockets[0]?.close();
    expect(states).toEqual(['connecting', 'open', 'waiting']);
    await jest.advanceTimersByTimeAsync(500);
    expect(sockets[1]?.protocols).toEqual(['sidestage', 'bearer.t2']);
    socket.close();
    jest.useRealTimers();
  });

  it('calls itself unusable after handshakes that keep failing, and heals', async () => {
    jest.useFakeTimers();
    const { socket, sockets, states } = makeSocketUnderTest();
    await socket.connect();
    for (let attempt = 0; attempt < 3; attempt += 1) {
      sockets.at(-1)?.close();
      await jest.advanceTimersByTimeAsync(8_000);
    }
    expect(states).toContain('unusable');
    sockets.at(-1)?.ready();
    expect(socket.state).toBe('open');
    socket.close();
    jest.useRealTimers();
  });

  it('notices a half-open line by a ping without answer', async () => {
    jest.useFakeTimers();
    const { socket, sockets, states } = makeSocketUnderTest();
    await socket.connect();
    sockets[0]?.ready();
    await jest.advanceTimersByTimeAsync(25_000);
    expect(sockets[0]?.sent).toEqual(['{"type":"ping"}']);
    await jest.advanceTimersByTimeAsync(10_000);
    expect(states.at(-1)).toBe('waiting');
    socket.close();
    jest.useRealTimers();
  });

  it('stays closed once it is closed', async () => {
    jest.useFakeTimers();
    const { socket, sockets } = makeSocketUnderTest();
    await socket.connect();
    sockets[0]?.ready();
    socket.close();
    await jest.advanceTimersByTimeAsync(60_000);
    await settle();
    expect(sockets).toHaveLength(1);
    jest.useRealTimers();
  });
});
