import type { ReplyEventBody } from '@sidestage/contracts';
import { type Logger, makeId, sleep } from '@sidestage/runtime';
import type { ReplyWriter } from '@sidestage/turns';

/** Deltas are gathered this long, so that a stream costs 25 writes a second and not one a token. */
const tickMs = 40;
/** Longest try to say the last event; then the sweeper says it. */
const endingMs = 3_000;
/** Longest wait for the buffer's word before a model is asked; then Postgres is asked. */
const confirmMs = 400;

export interface ReplyStreamOptions {
  generationId: string;
  epoch: number;
  /** The first text, of the first attempt or after a reset, is there. */
  onText?: () => void;
  /** The buffer takes nothing from this epoch any more: the turn was cancelled or another run has it. Called once. */
  onRefused: () => void;
  /** Asks Postgres whether the turn is still this run's. */
  stillOurs: () => Promise<boolean>;
}

export interface ReplyStream {
  /** Queues an event. The first text goes out at once, later text with the next tick. */
  say(event: ReplyEventBody): void;
  /**
   * Resolves once what was said is in the buffer: the turn is still this run's then, because an end seals the buffer before it is told to anybody. A
   * refusal has called `onRefused`. Where Redis does not answer Postgres is asked, and where that does not either the run goes on.
   */
  confirm(): Promise<void>;
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

  function make({ generationId, epoch, onText, onRefused, stillOurs }: ReplyStreamOptions): ReplyStream {
    /** In the buffer since the last reset: said again where Redis loses it. */
    let told: ReplyEventBody[] = [];
    let waiting: ReplyEventBody[] = [];
    let batch: Batch | null = null;
    let writing: Promise<void> | null = null;
    let shownText = false;
    let refused = false;

    function refuse(): void {
      refused = true;
      open.delete(stream);
      onRefused();
    }

    /** True once nothing waits, false where Redis does not take it. One write may be under way with what was said before. */
    async function flushAll(): Promise<boolean> {
      if (writing) await writing;
      await stream.flush();
      return batch === null && waiting.length === 0;
    }

    async function write(): Promise<void> {
      batch ??= { operation: makeId(), events: waiting.splice(0) };
      const { operation, events } = batch;
      const result = await writer.append(generationId, epoch, events, { operation, soFar: () => told });
      batch = null;
      if (!result.accepted) return refuse();
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
          onText?.();
          void stream.flush();
        }
      },
      async confirm(): Promise<void> {
        const told = await within(confirmMs, flushAll());
        if (refused || told) return;
        const ours = await within(
          confirmMs,
          stillOurs().catch(() => null),
        );
        if (ours === false && !refused) refuse();
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

/** What `work` gives, or null where that takes longer. */
async function within<T>(limitMs: number, work: Promise<T>): Promise<T | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, limitMs, null);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Adds an event to a list; text that follows text is one delta. */
function tell(events: ReplyEventBody[], event: ReplyEventBody): ReplyEventBody[] {
  const last = events.at(-1);
  if (event.type === 'delta' && last?.type === 'delta') {
    return [...events.slice(0, -1), { type: 'delta', text: last.text + event.text }];
  }
  return [...events, event];
}
