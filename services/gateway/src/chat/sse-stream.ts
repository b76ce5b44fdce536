import type { ServerResponse } from 'node:http';
import type { ClientEvent } from '@sidestage/contracts';

/** A reader this far behind is paused: nothing more is kept for it, it is told the rest from the replay buffer. Bytes in this process. */
export const maxAheadBytes = 32 * 1024;
const commentMs = 15_000;
/** A reader that takes nothing for this long is cut: it resumes with Last-Event-ID. Milliseconds. */
const stallMs = 30_000;
const retryLine = 'retry: 1000\n\n';

export interface SseEnds {
  /** The reader has taken what was written: there is room again. */
  onDrain(): void;
  /** Runs once, however the stream ends. */
  onClose(): void;
}

/** One stream of reply events over HTTP. */
export class SseStream {
  /** Since when the reader takes nothing of what waits for it, ms (monotonic); null while it keeps up. */
  #waitsSince: number | null = null;
  #ending = false;

  constructor(
    private readonly response: ServerResponse,
    headers: Record<string, string>,
    ends: SseEnds,
  ) {
    response.writeHead(200, {
      ...headers,
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Cache-Control': 'no-store, no-transform',
      'X-Accel-Buffering': 'no',
    });
    response.once('close', ends.onClose);
    response.on('drain', () => {
      if (this.#ending) return;
      this.#waitsSince = null;
      ends.onDrain();
    });
    this.#write(retryLine);
  }

  /** False where the reader is so far behind that it gets nothing more before `onDrain`. */
  send(event: ClientEvent): boolean {
    return this.#write(`event: ${event.type}\nid: ${event.seq}\ndata: ${JSON.stringify(event)}\n\n`);
  }

  /** Keeps proxies from closing a quiet stream, and notices a reader that takes nothing. */
  beat(now: number): void {
    if (this.#waitsSince === null) this.#write(': waiting\n\n');
    else if (now - this.#waitsSince > stallMs) this.response.destroy();
  }

  /** Ends after what is written; `again` asks the reader to come back. */
  end(again = false): void {
    if (this.#ending) return;
    if (again) this.#write(retryLine);
    this.#ending = true;
    // A reader that never takes the last bytes must not keep the connection.
    this.#waitsSince ??= performance.now();
    this.response.end();
  }

  #write(frame: string): boolean {
    if (this.#ending || this.response.destroyed) return false;
    if (this.response.write(frame)) return true;
    this.#waitsSince ??= performance.now();
    return this.response.writableLength < maxAheadBytes;
  }
}

/** The open streams of this gateway. */
export interface SseStreams {
  open(response: ServerResponse, headers: Record<string, string>, ends: SseEnds): SseStream;
  /** Asks every reader, also one that comes later, to come back, to whichever gateway is there. */
  endAll(): void;
  close(): void;
}

export function makeSseStreams(): SseStreams {
  const streams = new Set<SseStream>();
  let leaving = false;
  const ticker = setInterval(() => {
    const now = performance.now();
    for (const stream of streams) stream.beat(now);
  }, commentMs);
  ticker.unref();
  return {
    open(response, headers, ends) {
      const stream = new SseStream(response, headers, {
        onDrain: ends.onDrain,
        onClose() {
          streams.delete(stream);
          ends.onClose();
        },
      });
      streams.add(stream);
      if (leaving) stream.end(true);
      return stream;
    },
    endAll() {
      leaving = true;
      for (const stream of streams) stream.end(true);
    },
    close: () => clearInterval(ticker),
  };
}
