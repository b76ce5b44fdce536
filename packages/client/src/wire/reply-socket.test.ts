import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { SocketEvent } from '../platform/socket-constructor.js';
import { Credentials } from './credentials.js';
import { Gateways } from './gateways.js';
import { ReplySocket, type SocketState } from './reply-socket.js';

class FakeSocket {
  readyState = 1;
  sent: string[] = [];
  #listeners = new Map<string, (event: SocketEvent) => void>();
  constructor(
    readonly address: string,
    readonly protocols: string[],
  ) {}
  addEventListener(type: string, listener: (event: SocketEvent) => void) {
    this.#listeners.set(type, listener);
  }
  send(data: string) {
    this.sent.push(data);
  }
  close(code = 1006) {
    this.readyState = 3;
    this.#listeners.get('close')?.({ code });
  }
  hear(frame: object) {
    this.#listeners.get('message')?.({ data: JSON.stringify(frame) });
  }
  ready() {
    this.hear({ type: 'ready', session_id: 's', client_id: 'c' });
  }
}

function make(random = 0.5, urls = ['http://gateway']) {
  const sockets: FakeSocket[] = [];
  const states: SocketState[] = [];
  const told = { useless: 0, asked: [] as (string | null)[] };
  const socket = new ReplySocket({
    WebSocket: class extends FakeSocket {
      constructor(address: string, protocols: string[]) {
        super(address, protocols);
        sockets.push(this);
      }
    },
    gateways: new Gateways(urls),
    credentials: new Credentials((refused) => {
      told.asked.push(refused);
      return `t${told.asked.length}`;
    }),
    path: () => '/ws/new/c',
    resumes: () => 0,
    onFrame: () => undefined,
    onState: (state) => states.push(state),
    onUseless: () => {
      told.useless += 1;
    },
    backoff: { baseMs: 400, maxMs: 8_000 },
    random: () => random,
  });
  return { socket, sockets, states, told };
}
const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);

describe('ReplySocket', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('comes back after a cut with a credential asked for anew, and is open only once the server is ready', async () => {
    const { socket, sockets, states } = make();
    socket.connect();
    await pass(0);
    expect(socket.send({ type: 'ping' })).toBe(false);
    sockets[0]?.ready();
    expect(socket.send({ type: 'ping' })).toBe(true);
    sockets[0]?.close();
    expect(states).toEqual(['connecting', 'open', 'waiting']);
    await pass(199);
    expect(sockets).toHaveLength(1);
    await pass(1);
    expect(sockets[1]?.protocols).toEqual(['sidestage', 'bearer.t2']);
    socket.close();
  });

  it('waits anywhere between nothing and a bound that doubles up to its cap', async () => {
    const { socket, sockets } = make(0.999);
    socket.connect();
    await pass(0);
    const waits: number[] = [];
    for (let tries = 1; tries < 8; tries += 1) {
      sockets.at(-1)?.close();
      let waited = 0;
      for (; sockets.length === tries; waited += 100) await pass(100);
      waits.push(waited);
    }
    expect(waits.slice(0, 2)).toEqual([400, 800]);
    expect(Math.max(...waits)).toBe(24_000);
    socket.close();
  });

  it('tells that it is useless after handshakes that keep failing, and heals', async () => {
    const { socket, sockets, told } = make();
    socket.connect();
    await pass(0);
    sockets[0]?.close(1006);
    expect(told.useless).toBe(0);
    await pass(8_000);
    sockets[1]?.close(1006);
    expect(told.useless).toBe(1);
    await pass(8_000);
    sockets[2]?.ready();
    expect(socket.state).toBe('open');
    socket.close();
  });

  it('tries every gateway before it calls itself useless', async () => {
    const { socket, sockets, told } = make(0, ['http://a', 'https://b']);
    socket.connect();
    await pass(0);
    for (let tries = 0; tries < 3; tries += 1) {
      expect(told.useless).toBe(0);
      sockets[tries]?.close(1006);
      await pass(1);
    }
    expect(told.useless).toBe(1);
    expect(sockets.map(({ address }) => new URL(address).origin)).toEqual(['ws://a', 'wss://b', 'ws://a', 'wss://b']);
    socket.close();
  });

  it('notices a half-open line by a ping without answer, and a lively one is not pinged', async () => {
    const { socket, sockets, states } = make();
    socket.connect();
    await pass(0);
    sockets[0]?.ready();
    await pass(9_000);
    sockets[0]?.hear({ type: 'pong' });
    await pass(9_000);
    expect(sockets[0]?.sent).toEqual([]);
    await pass(1_000);
    expect(sockets[0]?.sent).toEqual(['{"type":"ping"}']);
    await pass(5_000);
    expect(states.at(-1)).toBe('waiting');
    socket.close();
  });

  it('gives a gateway up that takes the connection and says nothing, sooner where there is another', async () => {
    const { socket, sockets } = make(0, ['http://a', 'http://b']);
    socket.connect();
    await pass(5_001);
    expect(sockets.map(({ address }) => new URL(address).host)).toEqual(['a', 'b']);
    socket.close();
  });

  it('asks for another credential after a refusal of the one it has', async () => {
    const { socket, sockets, told } = make(0);
    socket.connect();
    await pass(0);
    sockets[0]?.ready();
    sockets[0]?.close(4401);
    await pass(1);
    expect(told.asked).toEqual([null, 't1']);
    socket.close();
  });

  it('stays closed once it is closed', async () => {
    const { socket, sockets } = make();
    socket.connect();
    await pass(0);
    sockets[0]?.ready();
    socket.close();
    socket.connect();
    await pass(60_000);
    expect(sockets).toHaveLength(1);
  });
});
