import type { WsServerFrame } from '@sidestage/contracts';
import { Carrier } from './carrier.js';
import type { ClientParts } from './client-parts.js';
import { Ladder } from './ladder.js';
import { LinkState } from './link-state.js';
import { makeId } from './platform/ids.js';
import { watchNetwork } from './platform/network.js';
import { PollRoad } from './roads/poll-road.js';
import { SocketRoad } from './roads/socket-road.js';
import { stopOverHttp } from './roads/stop.js';
import { type HttpRoadParts, StreamRoad } from './roads/stream-road.js';
import { LiveTurn, type TurnFields } from './turn.js';
import { TurnRegister } from './turn-register.js';
import type { Conversation, ConversationOptions, Link, SendOptions, TransportKind, Turn } from './types.js';
import { Listeners } from './wire/listeners.js';
import { cancelledTurn, closedHere, problemOf, SidestageError, tooLarge } from './wire/problem.js';
import { ReplySocket } from './wire/reply-socket.js';

/** Of 64 KiB that a chat body and a ws frame may have; a socket would be closed over more, each time anew. */
const maxMessageBytes = 62 * 1024;

/** One conversation: its turns in order, the roads they take, and what other devices say in it. */
export class LiveConversation implements Conversation {
  #id: string | null;
  readonly #ladder: Ladder;
  readonly #socket: ReplySocket | null;
  readonly #socketRoad: SocketRoad | null;
  readonly #carrier: Carrier;
  readonly #turns: TurnRegister;
  readonly #linkState: LinkState;
  readonly #closing = new AbortController();
  readonly #unwatchNetwork: () => void;
  readonly #onTurn = new Listeners<[Turn]>();
  readonly #hurry = new Listeners<[]>();
  /** The socket's session, begun as `new`, has got its conversation from a message it carried. */
  #bound = false;
  /** Settles when the message sent last has its place. */
  #placed: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly parts: ClientParts,
    private readonly options: ConversationOptions,
    private readonly onClosed: () => void,
  ) {
    const { conversationId = null, creatorId } = options;
    this.#id = conversationId === 'latest' ? null : conversationId;
    this.#ladder = new Ladder(transportsFor(parts.transports, options), parts.roadMap);
    this.#socket = this.#makeSocket();
    this.#socketRoad = this.#socket && new SocketRoad({ socket: this.#socket, creatorId });
    this.#linkState = new LinkState(this.#ladder, this.#socket);
    this.#carrier = this.#makeCarrier();
    this.#turns = new TurnRegister({
      makeForeign: (frame) =>
        this.#makeTurn({
          idempotencyKey: frame.idempotency_key ?? makeId(),
          message: frame.message,
          messageId: frame.message_id,
          conversationId: frame.conversation_id,
        }),
      onForeign: (turn) => {
        this.#onTurn.tell(turn);
        void this.#carrier.carry(turn);
      },
    });
    this.#unwatchNetwork = watchNetwork(
      () => this.connect(),
      () => this.#socket?.drop(),
    );
  }

  get id(): string | null {
    return this.#id;
  }

  get transport(): TransportKind {
    return this.#ladder.current;
  }

  get link(): Link {
    return this.#linkState.link;
  }

  onLink(listener: (link: Link, transport: TransportKind) => void): () => void {
    return this.#linkState.listeners.add(listener);
  }

  onTurn(listener: (turn: Turn) => void): () => void {
    return this.#onTurn.add(listener);
  }

  connect(): void {
    this.#socket?.connect();
    this.#hurry.tell();
  }

  send(message: string, options: SendOptions = {}): Turn {
    const { idempotencyKey = makeId(), videoUrl } = options;
    const turn = this.#makeTurn({ idempotencyKey, message, videoUrl });
    if (this.#closing.signal.aborted) turn.fail(new SidestageError(closedHere));
    else if (sizeOf(message) > maxMessageBytes) turn.fail(new SidestageError(tooLarge));
    else void this.#sendInOrder(turn);
    return turn;
  }

  follow(messageId: string, known: { lastSeq?: number; text?: string } = {}): Turn {
    const followed = this.#turns.byMessage(messageId);
    if (followed) return followed;
    const turn = this.#makeTurn({
      ...known,
      idempotencyKey: makeId(),
      message: '',
      messageId,
      conversationId: this.#id,
    });
    if (this.#closing.signal.aborted) turn.fail(new SidestageError(closedHere));
    else {
      this.#turns.name(turn);
      void this.#carrier.carry(turn);
    }
    return turn;
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    this.#carrier.close();
    this.#unwatchNetwork();
    this.#turns.failAll(new SidestageError(closedHere));
    this.#socket?.close();
    this.#linkState.close();
    this.onClosed();
  }

  /** The next message leaves when this one has its place in the conversation, and the conversation its id: or when it will never have one. */
  async #sendInOrder(turn: LiveTurn): Promise<void> {
    const before = this.#placed;
    this.#turns.addOwn(turn);
    this.#placed = turn.accepted.then(
      () => undefined,
      () => before,
    );
    this.#socket?.connect();
    await Promise.race([before, turn.over]);
    await this.#carrier.carry(turn);
  }

  #makeTurn(fields: Omit<TurnFields, 'onCancel' | 'onAccepted'>): LiveTurn {
    return new LiveTurn({
      ...fields,
      onCancel: (turn) => this.#stop(turn),
      onAccepted: (turn) => this.#onAccepted(turn),
    });
  }

  #onAccepted(turn: LiveTurn): void {
    this.#id ??= turn.conversationId;
    this.#turns.name(turn);
    if (this.#socket?.state === 'open') this.#renewSession();
    if (turn.unwanted) this.#stop(turn);
  }

  #stop(turn: LiveTurn): void {
    if (turn.messageId === null) {
      // Whether one that was tried has arrived is not known: it is stopped as soon as it is.
      if (!turn.tried) turn.fail(new SidestageError(cancelledTurn));
      return;
    }
    if (this.#socketRoad?.cancel(turn)) return;
    void stopOverHttp(turn, { ...this.parts, signal: this.#closing.signal });
  }

  /** A session begun as `new` would put the next message into a conversation of its own, where ours began by another road meanwhile. */
  #renewSession(): void {
    if (this.#id !== null && !this.#bound && this.#socket?.path !== this.#path()) this.#socket?.reopen();
  }

  #path(): string {
    return `/ws/${encodeURIComponent(this.#id ?? 'new')}/${encodeURIComponent(this.parts.clientId)}`;
  }

  #onFrame(frame: WsServerFrame): void {
    const road = this.#socketRoad;
    if (!road || frame.type === 'ready' || frame.type === 'pong') return;
    if (frame.type === 'error') {
      road.onError(frame.problem, frame.idempotency_key);
      return;
    }
    if (frame.type === 'accepted') {
      if (frame.idempotency_key !== undefined) this.#bound = true;
      if (frame.rate_limit) this.parts.onRateLimit(frame.rate_limit);
      const turn = this.#turns.accepted(frame);
      if (turn) road.attach(turn);
      return;
    }
    const turn = this.#turns.byMessage(frame.message_id);
    if (turn && turn.take(frame) === 'hole') road.mend(turn);
  }

  #makeSocket(): ReplySocket | null {
    const { WebSocket } = this.parts;
    if (!this.#ladder.has('ws') || !WebSocket) return null;
    return new ReplySocket({
      ...this.parts,
      WebSocket,
      path: () => this.#path(),
      resumes: () => this.#turns.named,
      onFrame: (frame) => this.#onFrame(frame),
      onState: (state) => {
        if (state === 'connecting') this.#bound = false;
        if (state === 'open') {
          this.#ladder.works('ws');
          this.#renewSession();
        }
        this.#socketRoad?.onChange();
        this.#linkState.tell();
      },
      onUseless: () => {
        this.#ladder.failed('ws');
        if (this.#ladder.current === 'ws') this.#socket?.suspectCredential();
        this.#socketRoad?.onChange();
        this.#linkState.tell();
        if (this.#ladder.current !== 'ws' && this.#turns.isIdle) void this.#probe();
      },
    });
  }

  /** With no turn on the way nobody would learn whether only sockets do not get through, or nothing does. */
  async #probe(): Promise<void> {
    const { signal } = this.#closing;
    try {
      const response = await this.parts.http.call('GET', '/api/v1/creators?limit=1', { signal });
      await response.body?.cancel();
      this.#linkState.onHttp('reached');
    } catch (error) {
      this.#linkState.onHttp(problemOf(error).status > 0 ? 'reached' : 'broken');
    }
  }

  #makeCarrier(): Carrier {
    const { http } = this.parts;
    const ladder = this.#ladder;
    const common: HttpRoadParts = {
      http,
      bodyOf: (turn) => this.#bodyOf(turn),
      onReached: () => this.#linkState.onHttp('reached'),
    };
    return new Carrier({
      ...this.parts,
      ladder,
      roads: {
        ...(this.#socketRoad && { ws: this.#socketRoad }),
        sse: new StreamRoad({
          ...common,
          onBarren: () => ladder.barren('sse'),
          onFruitful: () => ladder.works('sse'),
        }),
        post: new PollRoad({ ...common, isBest: () => ladder.current === 'post', random: this.parts.random }),
      },
      hurry: this.#hurry,
      heardAt: (turn) =>
        this.#socketRoad?.isAttached(turn) ? Math.max(turn.heardAt, this.#socket?.heardAt ?? 0) : turn.heardAt,
      onHttp: (how) => this.#linkState.onHttp(how),
    });
  }

  #bodyOf({ message, videoUrl }: LiveTurn): object {
    const { creatorId, conversationId, userId } = this.options;
    const id = this.#id ?? conversationId;
    return {
      message,
      creator_id: creatorId,
      ...(id !== undefined && { conversation_id: id }),
      ...(userId !== undefined && { user_id: userId }),
      ...(videoUrl !== undefined && { video_url: videoUrl }),
    };
  }
}

/** What of the transports can carry this conversation: a socket knows neither end users nor `latest`. */
function transportsFor(
  all: readonly TransportKind[],
  { userId, conversationId }: ConversationOptions,
): TransportKind[] {
  const usable = userId === undefined && conversationId !== 'latest' ? [...all] : all.filter((kind) => kind !== 'ws');
  if (usable.length === 0)
    throw new TypeError('transports: a socket carries neither userId nor the latest conversation');
  return usable;
}

function sizeOf(message: string): number {
  return new TextEncoder().encode(JSON.stringify(message)).length;
}
