import type { Ladder } from './ladder.js';
import type { Link, TransportKind } from './types.js';
import { Listeners } from './wire/listeners.js';
import type { ReplySocket, SocketState } from './wire/reply-socket.js';

/** How the line stands on the road that is used now; each change is told once. */
export class LinkState {
  readonly listeners = new Listeners<[Link, TransportKind]>();
  /** Of requests: there is no line between them. */
  #overHttp: Link = 'idle';
  /** The socket was lost and has not come back since. */
  #troubled = false;
  #closed = false;
  #told = 'idle';

  constructor(
    private readonly ladder: Ladder,
    private readonly socket: ReplySocket | null,
  ) {
    this.#told = `${this.link} ${ladder.current}`;
  }

  get link(): Link {
    if (this.#closed) return 'closed';
    return this.ladder.current === 'ws' && this.socket ? this.#ofSocket(this.socket.state) : this.#overHttp;
  }

  /** How requests fare: `begun` says nothing new about a line that was used before. */
  onHttp(how: 'begun' | 'reached' | 'broken'): void {
    if (how === 'reached') this.#overHttp = 'open';
    else if (how === 'broken') this.#overHttp = 'reconnecting';
    else if (this.#overHttp === 'idle') this.#overHttp = 'connecting';
    this.tell();
  }

  close(): void {
    this.#closed = true;
    this.tell();
  }

  tell(): void {
    const { link } = this;
    const now = `${link} ${this.ladder.current}`;
    if (now === this.#told) return;
    this.#told = now;
    this.listeners.tell(link, this.ladder.current);
  }

  #ofSocket(state: SocketState): Link {
    if (state === 'open') this.#troubled = false;
    if (state === 'waiting') this.#troubled = true;
    if (state === 'connecting') return this.#troubled ? 'reconnecting' : 'connecting';
    return state === 'waiting' ? 'reconnecting' : state;
  }
}
