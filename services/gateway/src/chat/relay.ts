import { isTerminal, type ReplyEvent } from '@sidestage/contracts';
import type { Metrics } from '@sidestage/runtime';
import type { TurnReadRepository } from '@sidestage/store';
import { type Following, type ReplyReader, storedOutcome } from '@sidestage/turns';
import type { QueuePositions } from './queue-positions.js';
import type { Turn } from './turn.js';

export interface RelayOptions {
  /** The last seq the client has. */
  afterSeq: number;
  /** The request that began the turn: its waits are measured. */
  measured: boolean;
  deliver(events: ReplyEvent[]): void;
}

/** Follows turns for clients of this gateway, measures them and keeps them told of their place in the line. */
export interface Relay {
  follow(turn: Turn, options: RelayOptions): Following;
  /** Turns relayed now. */
  active(): number;
  /** Resolves with the terminal event, or null when the signal aborts first. */
  untilEnd(turn: Turn, options: { measured: boolean; signal: AbortSignal }): Promise<ReplyEvent | null>;
}

export function makeRelay(options: {
  replyReader: ReplyReader;
  turns: Pick<TurnReadRepository, 'find'>;
  positions: QueuePositions;
  metrics: Metrics;
}): Relay {
  const { replyReader, turns, positions, metrics } = options;
  let active = 0;

  function measure(turn: Turn, event: ReplyEvent, first: { text: boolean }): void {
    const seconds = (Date.now() - turn.acceptedAt) / 1000;
    if (event.type === 'delta' && !first.text) {
      first.text = true;
      metrics.timeToFirstToken.observe({ tier: turn.tier }, seconds);
    }
    if (!isTerminal(event.type)) return;
    metrics.chatRequests.inc({ status: event.type, tier: turn.tier });
    metrics.chatDuration.observe({ tier: turn.tier }, seconds);
  }

  function follow(turn: Turn, { afterSeq, measured, deliver }: RelayOptions): Following {
    const first = { text: false };
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
          if (measured) measure(turn, event, first);
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
