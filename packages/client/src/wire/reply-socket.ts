import type { WsClientFrame, WsServerFrame } from '@sidestage/contracts';
import type { PlatformSocket, SocketConstructor } from '../platform/socket-constructor.js';
import { type Backoff, backoffMs } from './backoff.js';
import type { Credentials } from './credentials.js';
import { parseFrame } from './frames.js';
import type { Gateways } from './gateways.js';

/** `waiting`: lost or refused, and tried again after a pause. */
export type SocketState = 'idle' | 'connecting' | 'open' | 'waiting' | 'closed';

export interface ReplySocketParts {
  WebSocket: SocketConstructor;
  gateways: Gateways;
  credentials: Credentials;
  /** `/ws/{session_id}/{client_id}`; asked at each try because `new` becomes a conversation's id. */
  path: () => string;
  /** How many turns will be resumed once it is open: the gateway then waits for all of them before it tells of any by itself. */
  resumes: () => number;
  onFrame: (frame: WsServerFrame) => void;
  onState: (state: SocketState) => void;
  /** No socket brings anything, at any gateway: other roads may do better. Told again after each further failure. */
  onUseless: () => void;
  backoff: Backoff;
  random: () => number;
}

/** Silence after which a ping is sent, and for which its answer is waited, ms: a frozen gateway costs no more than both. */
const quietMs = 10_000;
const pongWithinMs = 5_000;
/** From the handshake's begin to `ready`, ms; shorter where there is another gateway to try. */
const readyWithinMs = { alone: 10_000, withOthers: 5_000 };
/** Failed handshakes at each gateway that are put up with: fewer where no socket has ever got through. */
const patience = { proven: 2, unproven: 1 };
/** A socket that was open this long ends the count of failures, ms. */
const stableMs = 10_000;
/** While other roads carry the replies a socket is tried for less often: times the longest wait. */
const uselessFactor = 3;

/** Close codes that ask for a pause or for another credential. */
const closeCodes = { tryLater: 1013, unauthenticated: 4401, tooFast: 4429 };
/** What `tryLater` and `tooFast` ask for at least, ms. */
const laterMs = 1_000;

/** One conversation's socket. It comes back by itself, with full jitter and from gateway to gateway, until it is closed. */
export class ReplySocket {
  #socket: PlatformSocket | null = null;
  #state: SocketState = 'idle';
  #failures = 0;
  /** When anything last came, ms (monotonic). */
  heardAt = 0;
  /** Of the socket that is open or on its way. */
  path = '';
  #proven = false;
  #url = '';
  #credential = '';
  #refused: string | null = null;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #watch: ReturnType<typeof setTimeout> | undefined;
  #stable: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly parts: ReplySocketParts) {}

  get state(): SocketState {
    return this.#state;
  }

  /** Connects now if nothing is open or on its way; also cuts a wait short. */
  connect(): void {
    if (this.#state === 'idle' || this.#state === 'waiting') void this.#connect();
  }

  /** False when it could not be handed to an open socket. */
  send(frame: WsClientFrame): boolean {
    if (this.#state !== 'open' || this.#socket?.readyState !== 1) return false;
    this.#socket.send(JSON.stringify(frame));
    return true;
  }

  /** The line is known to be bad: do not wait for a timeout to notice. */
  drop(): void {
    if (this.#socket) this.#lost(this.#socket);
  }

  /** The path has become another: begins anew, without a wait and without blame. */
  reopen(): void {
    const socket = this.#release();
    if (!socket) return;
    socket.close(1000);
    void this.#connect();
  }

  /** A platform does not say why a handshake was refused: it may have been the credential. The next try asks for another. */
  suspectCredential(): void {
    this.#refused = this.#credential;
  }

  close(): void {
    clearTimeout(this.#retry);
    const socket = this.#release();
    socket?.close(1000);
    this.#become('closed');
  }

  async #connect(): Promise<void> {
    const { WebSocket, gateways, credentials } = this.parts;
    clearTimeout(this.#retry);
    this.#become('connecting');
    try {
      this.#credential = await (this.#refused === null ? credentials.get() : credentials.renew(this.#refused));
    } catch {
      if (this.#state === 'connecting') this.#again();
      return;
    }
    if (this.#state !== 'connecting') return;
    this.#refused = null;
    this.#url = gateways.current;
    this.path = this.parts.path();
    let socket: PlatformSocket;
    try {
      const address = `${this.#url.replace(/^http/, 'ws')}${this.path}?resumes=${this.parts.resumes()}`;
      socket = new WebSocket(address, ['sidestage', `bearer.${this.#credential}`]);
    } catch {
      // A page's policy, or a credential that no header can carry.
      this.#again();
      return;
    }
    this.#socket = socket;
    const withinMs = gateways.count > 1 ? readyWithinMs.withOthers : readyWithinMs.alone;
    this.#watch = setTimeout(() => this.#lost(socket), withinMs);
    socket.addEventListener('message', ({ data }) => this.#heard(socket, data));
    socket.addEventListener('close', ({ code }) => this.#lost(socket, code));
    // Followed by `close`; `ws` ends the process over an error that nobody hears.
    socket.addEventListener('error', () => undefined);
  }

  #heard(socket: PlatformSocket, data: unknown): void {
    if (socket !== this.#socket || typeof data !== 'string') return;
    this.heardAt = performance.now();
    this.#watchSilence(socket);
    const frame = parseFrame(data);
    if (!frame) return;
    if (frame.type === 'ready') {
      this.#proven = true;
      this.#stable = setTimeout(() => this.#works(), stableMs);
      this.#become('open');
    } else if (frame.type !== 'pong' && frame.type !== 'error') this.#works();
    this.parts.onFrame(frame);
  }

  #works(): void {
    this.#failures = 0;
  }

  #watchSilence(socket: PlatformSocket): void {
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => {
      this.send({ type: 'ping' });
      this.#watch = setTimeout(() => this.#lost(socket), pongWithinMs);
    }, quietMs);
  }

  #lost(socket: PlatformSocket, code?: number): void {
    if (socket !== this.#socket) return;
    this.#release();
    socket.close();
    // The same gateway is as good as any for a new credential.
    if (code === closeCodes.unauthenticated) this.#refused = this.#credential;
    else this.parts.gateways.failed(this.#url);
    const pausing = code === closeCodes.tryLater || code === closeCodes.tooFast;
    this.#again(pausing ? laterMs : 0);
  }

  #again(atLeastMs = 0): void {
    const { backoff, random, gateways, onUseless } = this.parts;
    this.#failures += 1;
    const enough = (this.#proven ? patience.proven : patience.unproven) * gateways.count;
    const useless = this.#failures > enough;
    const bounds = useless ? { ...backoff, maxMs: backoff.maxMs * uselessFactor } : backoff;
    this.#retry = setTimeout(() => this.connect(), atLeastMs + backoffMs(this.#failures - 1, random(), bounds));
    this.#become('waiting');
    if (useless) onUseless();
  }

  /** Forgets the socket, whatever it may still say. */
  #release(): PlatformSocket | null {
    const socket = this.#socket;
    clearTimeout(this.#watch);
    clearTimeout(this.#stable);
    this.#socket = null;
    return socket;
  }

  #become(state: SocketState): void {
    if (state === this.#state || this.#state === 'closed') return;
    this.#state = state;
    this.parts.onState(state);
  }
}
