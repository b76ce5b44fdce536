import { isTerminal, type ReplyEvent } from '@sidestage/contracts';
import type { Metrics } from '@sidestage/runtime';
import type { TurnReadRepository } from '@sidestage/store';
import { type Following, type ReplyReader, storedOutcome } from '@sidestage/turns';
import type { QueuePositions } from './queue-positions.js';
import type { Turn } from './turn.js';

/** What was measured of a turn already: a reader that is followed again later is not counted twice. */
export interface Measurement {
  text: boolean;
  ended: boolean;
}

export function makeMeasurement(): Measurement {
  return { text: false, ended: false };
}

export interface RelayOptions {
  /** The last seq the client has. */
  afterSeq: number;
  /** Of the request that began the turn: its waits are measured. Null for everybody else. */
  measured: Measurement | null;
  deliver(events: ReplyEvent[]): void;
}

/** Follows turns for clients of this gateway, measures them and keeps them told of their place in the line. */
export interface Relay {
  follow(turn: Turn, options: RelayOptions): Following;
  /** Turns relayed now. */
  active(): number;
  /** Resolves with the terminal event, or null when the signal aborts first. */
  untilEnd(turn: Turn, options: { measured: Measurement | null; signal: AbortSignal }): Promise<ReplyEvent | null>;
}

export function makeRelay(options: {
  replyReader: ReplyReader;
  turns: Pick<TurnReadRepository, 'find'>;
  positions: QueuePositions;
  metrics: Metrics;
}): Relay {
  const { replyReader, turns, positions, metrics } = options;
  let active = 0;

  function measure(turn: Turn, event: ReplyEvent, measured: Measurement): void {
    const seconds = (Date.now() - turn.acceptedAt) / 1000;
    if (event.type === 'delta' && !measured.text) {
      measured.text = true;
      metrics.timeToFirstToken.observe({ tier: turn.tier }, seconds);
    }
    if (!isTerminal(event.type) || measured.ended) return;
    measured.ended = true;
    metrics.chatRequests.inc({ status: event.type, tier: turn.tier });
    metrics.chatDuration.observe({ tier: turn.tier }, seconds);
  }

  function follow(turn: Turn, { afterSeq, measured, deliver }: RelayOptions): Following {
    let open = true;
    active++;
    metrics.activeThreads.set(active);
    positions.watch(turn);
    const end = () => {
      if (!open) return;
      open = false;
      active--;
      metrics.activeThreads.set(active);
      positions.unwatch(turn.id);
    };
    const following = replyReader.follow({
      generationId: turn.generationId,
      afterSeq,
      stored: async () => {
        const row = await turns.find(turn.tenantId, turn.id);
        return row && storedOutcome(row);
      },
      deliver(events) {
        if (!open) return;
        for (const event of events) {
          if (event.type === 'queued') positions.told(turn.id, event.position);
          else positions.forget(turn.id);
          if (measured) measure(turn, event, measured);
        }
        const last = events.at(-1);
        if (last && isTerminal(last.type)) end();
        deliver(events);
      },
    });
    return {
      close() {
        end();
        following.close();
      },
    };
  }

  return {
    follow,
    active: () => active,
    untilEnd: (turn, { measured, signal }) =>
      new Promise((resolve) => {
        if (signal.aborted) return resolve(null);
        const following = follow(turn, {
          afterSeq: 0,
          measured,
          deliver(events) {
            const last = events.at(-1);
            if (!last || !isTerminal(last.type)) return;
            signal.removeEventListener('abort', onAbort);
            resolve(last);
          },
        });
        const onAbort = () => {
          following.close();
          resolve(null);
        };
        signal.addEventListener('abort', onAbort, { once: true });
      }),
  };
}
