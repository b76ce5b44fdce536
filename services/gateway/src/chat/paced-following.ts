import { isTerminal, type ReplyEvent } from '@sidestage/contracts';
import type { Following } from '@sidestage/turns';
import { makeMeasurement, type Relay } from './relay.js';
import type { Turn } from './turn.js';

export interface PacedOptions {
  /** The last seq the reader has. */
  afterSeq: number;
  /** The request that began the turn: its waits are measured. */
  measured: boolean;
  /** Hands an event to the reader. False: it is behind and gets nothing more before `drained`. */
  write(event: ReplyEvent): boolean;
  /** The terminal event was handed over. */
  onEnd(): void;
}

export interface PacedFollowing extends Following {
  /** The reader has room again. */
  drained(): void;
}

/**
 * Follows a turn as fast as its reader takes the events. For one that is behind nothing is kept but the number of the last event it was
 * given: what follows stays in the replay buffer and is read from there when there is room again.
 */
export function followPaced(relay: Relay, turn: Turn, options: PacedOptions): PacedFollowing {
  const measured = options.measured ? makeMeasurement() : null;
  let lastSeq = options.afterSeq;
  let over = false;
  let following: Following | null = null;

  function pause(): void {
    following?.close();
    following = null;
  }

  function deliver(events: ReplyEvent[]): void {
    for (const event of events) {
      if (over || !following) return;
      lastSeq = event.seq;
      const hasRoom = options.write(event);
      if (isTerminal(event.type)) {
        over = true;
        options.onEnd();
      } else if (!hasRoom) pause();
    }
  }

  function begin(): void {
    if (!over) following ??= relay.follow(turn, { afterSeq: lastSeq, measured, deliver });
  }

  begin();
  return {
    drained: begin,
    close() {
      over = true;
      pause();
    },
  };
}
