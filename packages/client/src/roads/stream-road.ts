import type { LiveTurn } from '../turn.js';
import { readEventStream } from '../wire/event-stream.js';
import { CallTimedOut, type HttpClient } from '../wire/http-client.js';
import { SidestageError, toProblem } from '../wire/problem.js';
import { parseTurnView } from '../wire/turn-view.js';
import { type Attempt, messageIdIn, type Road } from './road.js';
import { eventsOf } from './stored-events.js';

/** Comments come every 15 s. */
const silenceMs = 20_000;
/** A gateway answers a stream's headers as soon as the message is accepted. */
const answerWithinMs = 8_000;

export interface HttpRoadParts {
  http: HttpClient;
  /** The body of `POST /api/v1/chat` for a turn, as the conversation stands now. */
  bodyOf: (turn: LiveTurn) => object;
  /** A gateway has taken the message or tells of it. */
  onReached: () => void;
}

export interface StreamRoadParts extends HttpRoadParts {
  /** A try brought not one byte although the gateway could be reached. */
  onBarren: () => void;
  onFruitful: () => void;
}

/** Server-sent events: POST answered by a stream, then the turn's own stream from the last event on. */
export class StreamRoad implements Road {
  constructor(private readonly parts: StreamRoadParts) {}

  async carry(turn: LiveTurn, signal: AbortSignal): Promise<Attempt> {
    const { onBarren, onFruitful, onReached } = this.parts;
    const attempt: Attempt = { fruitful: false, waitMs: 0 };
    const response = await this.#open(turn, signal);
    const accepted = messageIdIn(response.headers);
    if (accepted !== null) turn.accept(accepted, null);
    if (response.status === 204) return this.#readStored(turn, signal);
    if (response.headers.get('Content-Type')?.includes('text/event-stream') && response.body) {
      await readEventStream(response.body, {
        signal,
        silenceMs,
        onAlive: () => {
          if (!attempt.fruitful) onReached();
          attempt.fruitful = true;
          turn.heardAt = performance.now();
        },
        onRetry: (ms) => {
          attempt.waitMs = ms;
        },
        onEvent: (event) => turn.take(event) !== 'hole' && !turn.isOver,
      });
    } else await response.body?.cancel().catch(() => undefined);
    if (attempt.fruitful) onFruitful();
    else onBarren();
    return attempt;
  }

  async #open(turn: LiveTurn, signal: AbortSignal): Promise<Response> {
    const { http, bodyOf, onBarren } = this.parts;
    const Accept = 'text/event-stream';
    try {
      if (turn.messageId !== null) {
        const path = `/api/v1/messages/${encodeURIComponent(turn.messageId)}/events`;
        const headers = { Accept, 'Last-Event-ID': String(turn.lastSeq) };
        return await http.call('GET', path, { headers, signal, timeoutMs: answerWithinMs });
      }
      turn.begin();
      const headers = { Accept, 'Idempotency-Key': turn.idempotencyKey };
      return await http.call('POST', '/api/v1/chat', {
        body: bodyOf(turn),
        headers,
        signal,
        timeoutMs: answerWithinMs,
      });
    } catch (error) {
      if (error instanceof CallTimedOut) onBarren();
      throw error;
    }
  }

  /** The gateway says that there is nothing after what we have, although we know of no end: the stored turn tells it. */
  async #readStored(turn: LiveTurn, signal: AbortSignal): Promise<Attempt> {
    const path = `/api/v1/messages/${encodeURIComponent(turn.messageId ?? '')}`;
    const { body } = await this.parts.http.json('GET', path, { signal });
    const view = parseTurnView(body);
    if (!view) throw new SidestageError(toProblem(null, 502));
    for (const event of eventsOf(view)) turn.take(event);
    return { fruitful: true, waitMs: 0 };
  }
}
