import type { Ladder } from './ladder.js';
import { isFinal, type Road } from './roads/road.js';
import type { LiveTurn } from './turn.js';
import type { TransportKind } from './types.js';
import { type Backoff, backoffMs } from './wire/backoff.js';
import type { Listeners } from './wire/listeners.js';
import { pause } from './wire/pause.js';
import { SidestageError, toSidestageError, unreachable } from './wire/problem.js';

export interface CarrierParts {
  ladder: Ladder;
  roads: Partial<Record<TransportKind, Road>>;
  backoff: Backoff;
  random: () => number;
  giveUpMs: number;
  /** Told when the network is back: a wait makes no more sense. */
  hurry: Listeners<[]>;
  /** When anything was last heard on the line that brings this turn, ms (monotonic). */
  heardAt: (turn: LiveTurn) => number;
  /** A try over HTTP begins, or was in vain. */
  onHttp: (how: 'begun' | 'broken') => void;
}

/** Brings each turn to its end: try after try, on whatever road is best then, with one idempotency key. */
export class Carrier {
  /** One for each turn under way: listeners of many turns on one signal would look like a leak to its platform. */
  readonly #under = new Set<AbortController>();
  #closed = false;

  constructor(private readonly parts: CarrierParts) {}

  /** Stops carrying, for good. */
  close(): void {
    this.#closed = true;
    for (const controller of this.#under) controller.abort();
  }

  async carry(turn: LiveTurn): Promise<void> {
    if (this.#closed) return;
    const controller = new AbortController();
    this.#under.add(controller);
    await this.#carry(turn, controller.signal).finally(() => this.#under.delete(controller));
  }

  async #carry(turn: LiveTurn, signal: AbortSignal): Promise<void> {
    const { ladder, roads, onHttp } = this.parts;
    const watch = this.#watchSilence(turn);
    try {
      for (let failures = 0; !turn.isOver && !signal.aborted; ) {
        const kind = ladder.current;
        let waitMs = 0;
        if (kind !== 'ws') onHttp('begun');
        try {
          const attempt = await roads[kind]?.carry(turn, signal);
          if (turn.isOver) return;
          waitMs = attempt?.waitMs ?? 0;
          if (attempt?.fruitful) failures = 0;
          // A socket has waits of its own.
          if (kind === 'ws') {
            turn.hold();
            continue;
          }
        } catch (thrown) {
          const error = toSidestageError(thrown);
          if (signal.aborted || turn.isOver) return;
          if (isFinal(error, turn.messageId !== null)) return turn.fail(error);
          watch.lastError = error;
          waitMs = error.retryAfterMs ?? 0;
        }
        turn.hold();
        if (kind !== 'ws') onHttp('broken');
        await this.#wait(turn, signal, waitMs, failures);
        failures += 1;
      }
    } finally {
      clearTimeout(watch.timer);
    }
  }

  #wait(turn: LiveTurn, signal: AbortSignal, atLeastMs: number, failures: number): Promise<void> {
    const { backoff, random, hurry } = this.parts;
    // A server that says when is believed; the jitter comes on top, so that not all it told so come at once.
    return pause(atLeastMs + backoffMs(failures, random(), backoff), { signal, hurry, until: turn.over });
  }

  /** Gives the turn up, with the last problem met, once nothing was heard for too long. */
  #watchSilence(turn: LiveTurn) {
    const { giveUpMs, heardAt } = this.parts;
    const watch = {
      timer: undefined as ReturnType<typeof setTimeout> | undefined,
      lastError: null as SidestageError | null,
    };
    const beganAt = performance.now();
    const look = () => {
      const leftMs = Math.max(beganAt, heardAt(turn)) + giveUpMs - performance.now();
      if (leftMs <= 0) turn.fail(watch.lastError ?? new SidestageError(unreachable));
      else watch.timer = setTimeout(look, leftMs);
    };
    if (Number.isFinite(giveUpMs)) look();
    return watch;
  }
}
