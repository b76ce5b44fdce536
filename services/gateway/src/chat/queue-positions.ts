import type { Logger } from '@sidestage/runtime';
import type { ReplyWriter, WaitingLine } from '@sidestage/turns';
import type { Turn } from './turn.js';

const tickMs = 1_000;
/** How often a turn this far back in the line is looked at, ms. */
function everyMs(position: number | null): number {
  if (position === null || position <= 20) return 1_000;
  return position <= 200 ? 2_000 : 5_000;
}
const chunk = 500;

interface Watched {
  turn: Turn;
  /** What clients were last told, by this gateway or another. */
  position: number | null;
  dueAt: number;
  followers: number;
}

/** Tells waiting fans where they are: one look at the line a second for all turns this gateway relays. */
export interface QueuePositions {
  watch(turn: Turn): void;
  /** Clients were told this position. */
  told(turnId: string, position: number | null): void;
  /** One follower left; the last one ends the watch. */
  unwatch(turnId: string): void;
  /** It began, or ended. */
  forget(turnId: string): void;
  close(): void;
}

export function makeQueuePositions(options: {
  waitingLine: Pick<WaitingLine, 'places'>;
  replyWriter: ReplyWriter;
  logger: Logger;
}): QueuePositions {
  const watched = new Map<string, Watched>();
  let looking = false;

  async function tell(entry: Watched, place: { position: number; eta_ms: number | null }): Promise<void> {
    if (place.position === entry.position) return;
    entry.position = place.position;
    const event = { type: 'queued' as const, ...place };
    const { accepted } = await options.replyWriter.append(entry.turn.generationId, 0, [event]);
    // A worker speaks for it now.
    if (!accepted) watched.delete(entry.turn.id);
  }

  async function look(): Promise<void> {
    const now = performance.now();
    const due = [...watched.values()].filter((entry) => entry.dueAt <= now);
    for (let start = 0; start < due.length; start += chunk) {
      const part = due.slice(start, start + chunk);
      const places = await options.waitingLine.places(part.map(({ turn }) => turn.id));
      for (const entry of part) {
        const place = places.get(entry.turn.id);
        entry.dueAt = now + everyMs(place?.position ?? entry.position);
        if (place) await tell(entry, place);
      }
    }
  }

  const ticker = setInterval(() => {
    if (looking || watched.size === 0) return;
    looking = true;
    look()
      .catch((error: unknown) => options.logger.debug({ err: error }, 'queue positions not told'))
      .finally(() => {
        looking = false;
      });
  }, tickMs);
  ticker.unref();

  return {
    watch(turn) {
      const entry = watched.get(turn.id);
      if (entry) entry.followers++;
      else watched.set(turn.id, { turn, position: null, dueAt: performance.now() + tickMs, followers: 1 });
    },
    told(turnId, position) {
      const entry = watched.get(turnId);
      if (entry) entry.position = position;
    },
    unwatch(turnId) {
      const entry = watched.get(turnId);
      if (entry && --entry.followers <= 0) watched.delete(turnId);
    },
    forget: (turnId) => {
      watched.delete(turnId);
    },
    close: () => clearInterval(ticker),
  };
}
