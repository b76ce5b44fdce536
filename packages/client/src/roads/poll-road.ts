import type { TurnView } from '@sidestage/contracts';
import type { LiveTurn } from '../turn.js';
import { CallRefused } from '../wire/http-client.js';
import { pause } from '../wire/pause.js';
import { SidestageError, toProblem } from '../wire/problem.js';
import { parseTurnView } from '../wire/turn-view.js';
import { type Attempt, messageIdIn, type Road, runningTurn } from './road.js';
import { eventsOf } from './stored-events.js';
import type { HttpRoadParts } from './stream-road.js';

/** Between two looks at a turn, ms: the wait grows from the first to the second by half each time. */
const lookEveryMs = { first: 300, last: 2_000 };

export interface PollRoadParts extends HttpRoadParts {
  /** Whether a better road has opened meanwhile. */
  isBest: () => boolean;
  random: () => number;
}

/** Plain requests: the message is handed in, and the reply asked for until it is there. For networks that let no stream through. */
export class PollRoad implements Road {
  constructor(private readonly parts: PollRoadParts) {}

  async carry(turn: LiveTurn, signal: AbortSignal): Promise<Attempt> {
    if (turn.messageId === null) await this.#handIn(turn, signal);
    let everyMs = lookEveryMs.first;
    while (!turn.isOver && !signal.aborted) {
      await this.#look(turn, signal);
      if (turn.isOver || !this.parts.isBest()) break;
      // Half of it fixed: many turns must not ask in step.
      await pause(everyMs * (0.5 + this.parts.random() / 2), { signal, until: turn.over });
      everyMs = Math.min(lookEveryMs.last, everyMs * 1.5);
    }
    return { fruitful: true, waitMs: 0 };
  }

  async #handIn(turn: LiveTurn, signal: AbortSignal): Promise<void> {
    const { http, bodyOf } = this.parts;
    const headers = { Prefer: 'respond-async', 'Idempotency-Key': turn.idempotencyKey };
    turn.begin();
    try {
      const { body } = await http.json('POST', '/api/v1/chat', { body: bodyOf(turn), headers, signal });
      this.#tell(turn, viewOf(body));
    } catch (error) {
      const known = runningTurn(error) ?? storedFailure(error);
      if (known === null) throw error;
      turn.accept(known, null);
    }
  }

  async #look(turn: LiveTurn, signal: AbortSignal): Promise<void> {
    if (turn.messageId === null) return;
    const path = `/api/v1/messages/${encodeURIComponent(turn.messageId)}`;
    const { body } = await this.parts.http.json('GET', path, { signal });
    this.#tell(turn, viewOf(body));
  }

  #tell(turn: LiveTurn, view: TurnView): void {
    this.parts.onReached();
    turn.accept(view.message_id, view.conversation_id);
    for (const event of eventsOf(view)) turn.take(event);
  }
}

function viewOf(body: unknown): TurnView {
  const view = parseTurnView(body);
  if (!view) throw new SidestageError(toProblem(null, 502));
  return view;
}

/** A repeated key whose turn has failed is answered with the turn's own problem: the stored turn tells it better. */
function storedFailure(error: unknown): string | null {
  const replayed = error instanceof CallRefused && error.headers.get('Idempotency-Replayed') === 'true';
  return replayed ? messageIdIn(error.headers) : null;
}
