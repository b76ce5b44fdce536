import type { WsClientFrame, WsServerFrame } from '@sidestage/contracts';
import { backoffMs } from '../model/backoff.js';
import { parseFrame } from './frames.js';

/** `unusable`: handshakes keep failing while the network is there, so replies are better read over SSE for now. */
export type SocketState = 'idle' | 'connecting' | 'open' | 'waiting' | 'unusable';

export interface SocketParts {
  /** The address without credential; asked at each attempt because `new` becomes a conversation's id. */
  address: () => string;
  token: () => Promise<string>;
  onFrame: (frame: WsServerFrame) => void;
  onState: (state: SocketState) => void;
  makeSocket?: (address: string, protocols: string[]) => WebSocket;
  random?: () => number;
}

const pingEveryMs = 25_000;
const pongWithinMs = 10_000;
const readyWithinMs = 10_000;
/** Failures in a row that are put up with: fewer where no socket has ever got through. */
const patience = { once: 2, never: 1 };

/** One conversation's socket. It comes back by itself, with full jitter, until it is closed. */
export class ReplySocket {
  #socket: WebSocket | null = null;
  #state: SocketState = 'idle';
  #failures = 0;
  #closed = false;
  #everOpen = false;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #watch: ReturnType<typeof setTimeout> | undefined;
  #beat: ReturnType<typeof setInterval> | undefined;

  constructor(private readonly parts: SocketParts) {}

  get state(): SocketState {
    return this.#state;
  }

  /** Connects now if nothing is open or on its way; also cuts a wait short (the network is back, a message is to be sent). */
  async connect(): Promise<void> {
    if (this.#closed || this.#state === 'open' || this.#state === 'connecting') return;
    clearTimeout(this.#retry);
    this.#become('connecting');
    let token: string;
    try {
      token = await this.parts.token();
    } catch {
      this.#again();
      return;
    }
    if (this.#closed) return;
    const make = this.parts.makeSocket ?? ((address, protocols) => new WebSocket(address, protocols));
    const socket = make(this.parts.address(), ['sidestage', `bearer.${token}`]);
    this.#socket = socket;
    this.#watch = setTimeout(() => this.#lost(socket), readyWithinMs);
    socket.onmessage = (message) => this.#heard(socket, message.data);
    socket.onclose = () => this.#lost(socket);
  }

  /** False when it could not be handed to an open socket. */
  send(frame: WsClientFrame): boolean {
    if (this.#state !== 'open' || this.#socket?.readyState !== 1) return false;
    this.#socket.send(JSON.stringify(frame));
    return true;
  }

  /** The network is gone: do not wait for a timeout to notice. */
  drop(): void {
    if (this.#socket) this.#lost(this.#socket);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    const socket = this.#socket;
    this.#release();
    socket?.close(1000);
    this.#become('idle');
  }

  #heard(socket: WebSocket, data: unknown): void {
    if (socket !== this.#socket || typeof data !== 'string') return;
    const frame = parseFrame(data);
    if (!frame) return;
    if (frame.type === 'ready') {
      this.#failures = 0;
      this.#everOpen = true;
      clearTimeout(this.#watch);
      this.#beat = setInterval(() => this.#ping(socket), pingEveryMs);
      this.#become('open');
    } else if (frame.type === 'pong') clearTimeout(this.#watch);
    this.parts.onFrame(frame);
  }

  #ping(socket: WebSocket): void {
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => this.#lost(socket), pongWithinMs);
    this.send({ type: 'ping' });
  }

  #lost(socket: WebSocket): void {
    if (socket !== this.#socket) return;
    this.#release();
    socket.close();
    this.#again();
  }

  #again(): void {
    if (this.#closed) return;
    this.#failures += 1;
    const offline = globalThis.navigator?.onLine === false;
    this.#become(
      this.#failures > (this.#everOpen ? patience.once : patience.never) && !offline ? 'unusable' : 'waiting',
    );
    const random = this.parts.random ?? Math.random;
    this.#retry = setTimeout(() => void this.connect(), backoffMs(this.#failures, random()));
  }

  #release(): void {
    clearTimeout(this.#watch);
    clearInterval(this.#beat);
    if (this.#socket) {
      this.#socket.onmessage = null;
      this.#socket.onclose = null;
    }
    this.#socket = null;
  }

  #become(state: SocketState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.parts.onState(state);
  }
}
