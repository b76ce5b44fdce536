import { isTerminal, type ReplyEvent, type ReplyEventBody } from '@sidestage/contracts';
import type { FollowOptions, StoredOutcome } from './ports.js';
import { numberedEvent } from './reply-batch.js';

/**
 * Numbers of events told from Postgres start above this: higher than any number a buffer gives, and the same at every reading, so that a client
 * cut in the middle of them resumes at the right one.
 */
export const recoveredSeqBase = 1_000_000_000_000;

/** What one client has of a generation. Decides what may be delivered: each event once, in order, nothing after a terminal one. */
export class Follower {
  lastSeq: number;
  ended = false;
  /** The buffer is being read: live events wait, they are in what is read or follow it. */
  reading = false;
  /** When anything was last delivered or looked for, ms (monotonic). */
  lookedAt = performance.now();
  /** When Postgres was last asked. */
  askedAt = performance.now();
  #held: ReplyEvent[] = [];

  constructor(readonly options: FollowOptions) {
    this.lastSeq = options.afterSeq;
  }

  /** Live events. False where one is missing before them: the buffer must be read. */
  receive(events: ReplyEvent[]): boolean {
    if (this.ended) return true;
    if (this.reading) {
      this.#held.push(...events);
      return true;
    }
    const fresh = events.filter((event) => event.seq > this.lastSeq);
    const first = fresh[0];
    if (!first) return true;
    if (first.seq !== this.lastSeq + 1 && !isNewBuffer(first)) return false;
    this.deliver(fresh);
    return true;
  }

  /** Events read from the buffer, all after lastSeq. False where the buffer does not reach back to lastSeq. */
  catchUp(events: ReplyEvent[]): boolean {
    const first = events[0];
    if (this.ended || !first) return true;
    if (first.seq !== this.lastSeq + 1 && !isNewBuffer(first)) return false;
    this.deliver(events);
    return true;
  }

  /** After reading: what came live meanwhile. False as in `receive`. */
  release(): boolean {
    this.reading = false;
    const held = this.#held;
    this.#held = [];
    return this.receive(held);
  }

  /** The buffer is gone and the turn has ended: the whole reply again, from Postgres. */
  recover(stored: StoredOutcome | null): void {
    if (this.ended || (stored && !stored.terminal)) return;
    // A turn that is no longer there was deleted with its conversation.
    const ending: ReplyEventBody = stored?.terminal ?? { type: 'cancelled' };
    const bodies: ReplyEventBody[] = [
      { type: 'reset', attempt: 1, recovered: false },
      ...(stored?.content ?? []),
      ending,
    ];
    const events = bodies.map((body, index) => numberedEvent(recoveredSeqBase + index + 1, body));
    const last = events.at(-1);
    if (last && last.seq <= this.lastSeq) this.ended = true;
    else this.deliver(events.filter((event) => event.seq > this.lastSeq));
  }

  private deliver(events: ReplyEvent[]): void {
    const end = events.findIndex((event) => isTerminal(event.type));
    const upTo = end === -1 ? events : events.slice(0, end + 1);
    const last = upTo.at(-1);
    if (!last) return;
    this.lastSeq = last.seq;
    this.ended = end !== -1;
    this.lookedAt = performance.now();
    this.options.deliver(upTo);
  }
}

/** A worker that found no buffer begins the new one with this. */
function isNewBuffer(event: ReplyEvent): boolean {
  return event.type === 'reset' && event.recovered === false;
}
