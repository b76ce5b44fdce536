import type { ReplyEventBody } from '@sidestage/contracts';
import { type Logger, makeId, sleep } from '@sidestage/runtime';
import type { ReplyWriter } from '@sidestage/turns';

/** Deltas are gathered this long, so that a stream costs 25 writes a second and not one a token. */
const tickMs = 40;
/** Longest try to say the last event; then the sweeper says it. */
const endingMs = 3_000;

export interface ReplyStreamOptions {
  generationId: string;
  epoch: number;
  /** The buffer takes nothing from this epoch any more: the turn was cancelled or another run has it. Called once. */
  onRefused: () => void;
}

export interface ReplyStream {
  /** Queues an event. The first text goes out at once, later text with the next tick. */
  say(event: ReplyEventBody): void;
  /** What waits and the terminal event, in one append. True when the buffer has it (or had it before). */
  end(terminal: ReplyEventBody): Promise<boolean>;
  /** Forgets what waits; nothing is said after it. */
  close(): void;
}

interface Batch {
  operation: string;
  events: ReplyEventBody[];
}

/** Makes the streams of this worker's runs. All of them write in the same tick, on one connection. */
export function makeReplyStreams({ writer, logger }: { writer: ReplyWriter; logger: Logger }) {
  const open = new Set<{ flush(): Promise<void> }>();
  const ticker = setInterval(() => {
    for (const stream of open) void stream.flush();
  }, tickMs);
  ticker.unref();

  function make({ generationId, epoch, onRefused }: ReplyStreamOptions): ReplyStream {
    /** In the buffer since the last reset: said again where Redis loses it. */
    let told: ReplyEventBody[] = [];
    let waiting: ReplyEventBody[] = [];
    let batch: Batch | null = null;
    let writing: Promise<void> | null = null;
    let shownText = false;
    let refused = false;

    async function write(): Promise<void> {
      batch ??= { operation: makeId(), events: waiting.splice(0) };
      const { operation, events } = batch;
      const result = await writer.append(generationId, epoch, events, { operation, soFar: () => told });
      batch = null;
      if (!result.accepted) {
        refused = true;
        open.delete(stream);
        onRefused();
        return;
      }
      for (const event of events) told = event.type === 'reset' ? [] : tell(told, event);
    }

    // One write at a time keeps the order; one that failed is tried again as it was, under the same name, so it is never there twice.
    const stream = {
      flush(): Promise<void> {
        if (refused || (batch === null && waiting.length === 0)) return Promise.resolve();
        writing ??= write()
          .catch((error: unknown) =>
            logger.debug({ err: error, generation_id: generationId }, 'events not written yet'),
          )
          .finally(() => {
            writing = null;
          });
        return writing;
      },
      say(event: ReplyEventBody): void {
        waiting = tell(waiting, event);
        if (event.type === 'reset') shownText = false;
        if (event.type === 'delta' && !shownText) {
          shownText = true;
          void stream.flush();
        }
      },
      async end(terminal: ReplyEventBody): Promise<boolean> {
        open.delete(stream);
        waiting.push(terminal);
        const giveUpAt = performance.now() + endingMs;
        while (!refused && (batch !== null || waiting.length > 0 || writing !== null)) {
          await (writing ?? stream.flush());
          if (performance.now() > giveUpAt) return false;
          if (batch !== null && writing === null) await sleep(100);
        }
        return !refused;
      },
      close(): void {
        open.delete(stream);
        waiting = [];
      },
    };
    open.add(stream);
    return stream;
  }

  return { make, close: () => clearInterval(ticker) };
}
export type ReplyStreams = ReturnType<typeof makeReplyStreams>;

/** Adds an event to a list; text that follows text is one delta. */
function tell(events: ReplyEventBody[], event: ReplyEventBody): ReplyEventBody[] {
  const last = events.at(-1);
  if (event.type === 'delta' && last?.type === 'delta') {
    return [...events.slice(0, -1), { type: 'delta', text: last.text + event.text }];
  }
  return [...events, event];
}
