import type { Gateway } from '../api/gateway.js';
import { problemOf } from '../api/problem.js';
import type { ReplySocket, SocketState } from '../api/socket.js';
import { isOver, isRunning, type Turn } from '../model/turn.js';
import type { ConversationStore } from './conversationStore.js';
import { sendOverHttp } from './httpSender.js';
import type { ReplyInbox } from './replyInbox.js';

export interface DeliveryParts {
  store: ConversationStore;
  gateway: Gateway;
  /** Id or slug. */
  creator: string;
  inbox: ReplyInbox;
  socket: ReplySocket;
}

/**
 * Brings messages to the server and keeps running replies coming, over the socket or, where sockets do not get through, over HTTP.
 *
 * A message keeps its idempotency key until its outcome is known: a cut line leaves it `held` and it is sent again with the same key.
 */
export class Delivery {
  #overHttp = new Set<string>();

  constructor(private readonly parts: DeliveryParts) {}

  /** Hands held turns to whatever road is open. In a new conversation one goes first: the others need its id. */
  flush(): void {
    const { store, socket, creator } = this.parts;
    const held = store.state.turns.filter((turn) => turn.phase === 'held');
    if (held.length === 0) return;
    if (socket.state !== 'open') {
      if (store.state.detour) this.#sendHeldOverHttp(held);
      else void socket.connect();
      return;
    }
    for (const turn of held) {
      if (this.#waitsForId(turn)) return;
      const sent = socket.send({
        type: 'message',
        message: turn.fanText,
        creator_id: creator,
        idempotency_key: turn.idempotencyKey,
      });
      if (!sent) return;
      store.changeTurn(turn.key, (known) => ({ ...known, phase: 'sending' }));
    }
  }

  /** Asks for what was missed of every reply that runs. */
  resumeRunning(): void {
    for (const turn of this.#runningOverSocket()) {
      this.parts.socket.send({ type: 'resume', message_id: turn.messageId, last_seq: turn.lastSeq });
    }
  }

  cancel(messageId: string): void {
    const { socket, gateway } = this.parts;
    if (socket.send({ type: 'cancel', message_id: messageId })) return;
    gateway.cancel(messageId).then(
      () => this.#endHere(messageId),
      () => undefined,
    );
  }

  /** The socket is gone or does not come: what was on its way may or may not have arrived and goes again with the same key. */
  onLinkDown(link: SocketState): void {
    const { store } = this.parts;
    for (const turn of store.state.turns) {
      if (turn.phase === 'sending' && !this.#overHttp.has(turn.key)) store.changeTurn(turn.key, backToHeld);
    }
    if (link === 'unusable' && !store.state.detour) void this.#tryDetour();
  }

  #waitsForId(turn: Turn): boolean {
    const { state } = this.parts.store;
    return state.id === null && state.turns.some((other) => other !== turn && other.phase === 'sending');
  }

  #sendHeldOverHttp(held: Turn[]): void {
    for (const turn of held) {
      if (this.#overHttp.has(turn.key) || this.#waitsForId(turn)) continue;
      this.#overHttp.add(turn.key);
      this.parts.store.changeTurn(turn.key, (known) => ({ ...known, phase: 'sending' }));
      void this.#followOverHttp(turn);
    }
  }

  async #followOverHttp(turn: Turn): Promise<void> {
    const { store, gateway, creator, inbox } = this.parts;
    try {
      await sendOverHttp(gateway, turn, {
        creator,
        conversationId: store.state.id,
        current: () => store.turn(turn.key),
        onEvent: (event) => inbox.ownEvent(turn.key, event),
      });
    } catch (error) {
      const problem = problemOf(error);
      if (problem.code === 'unreachable') {
        store.patch({ detour: false });
        store.changeTurn(turn.key, backToHeld);
      } else inbox.refused(turn.key, problem);
    } finally {
      this.#overHttp.delete(turn.key);
      this.flush();
    }
  }

  /** Only a gateway that answers is worth going around its sockets; one that is down is waited for. */
  async #tryDetour(): Promise<void> {
    const { store, gateway, socket } = this.parts;
    if (!(await gateway.answers()) || socket.state === 'open') return;
    store.patch({ detour: true });
    this.flush();
    for (const turn of this.#runningOverSocket()) {
      this.#overHttp.add(turn.key);
      void this.#followOverHttp(turn);
    }
  }

  #runningOverSocket() {
    return this.parts.store.state.turns.filter(isRunning).filter((turn) => !this.#overHttp.has(turn.key));
  }

  /** Over HTTP a cancelled turn's stream may not be open any more to say so. */
  #endHere(messageId: string): void {
    const { store } = this.parts;
    const turn = store.turnOf(messageId);
    if (turn && !isOver(turn.phase)) store.changeTurn(turn.key, (known) => ({ ...known, phase: 'cancelled' }));
  }
}

function backToHeld(turn: Turn): Turn {
  return turn.messageId === null && turn.phase === 'sending' ? { ...turn, phase: 'held' } : turn;
}
