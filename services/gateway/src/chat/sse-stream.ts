import type { ServerResponse } from 'node:http';
import type { ClientEvent } from '@sidestage/contracts';

/** A reader this far behind is cut: it resumes with Last-Event-ID. Bytes that wait beside what the socket holds. */
export const maxPendingBytes = 128 * 1024;
const commentMs = 15_000;
/** A reader that takes nothing for this long is cut. Milliseconds. */
const stallMs = 30_000;
const retryLine = 'retry: 1000\n\n';

/** One stream of reply events over HTTP: never more than a bounded amount in memory for a reader that does not read. */
export class SseStream {
  #pending: string[] = [];
  #pendingBytes = 0;
  #pausedAt: number | null = null;
  #ending = false;
  #onClose: () => void;

  /** `onClose` runs once, however the stream ends. */
  constructor(
    private readonly response: ServerResponse,
    headers: Record<string, string>,
    onClose: () => void,
  ) {
    this.#onClose = onClose;
    response.writeHead(200, {
      ...headers,
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Cache-Control': 'no-store, no-transform',
      'X-Accel-Buffering': 'no',
    });
    response.on('close', () => this.#closed());
    response.on('drain', () => this.#drained());
    this.#write(retryLine);
  }

  send(events: ClientEvent[]): void {
    this.#write(
      events.map((event) => `event: ${event.type}\nid: ${event.seq}\ndata: ${JSON.stringify(event)}\n\n`).join(''),
    );
  }

  /** Keeps proxies from closing a quiet stream, and notices a reader that takes nothing. */
  beat(now: number): void {
    if (this.#pausedAt === null) this.#write(': waiting\n\n');
    else if (now - this.#pausedAt > stallMs) this.response.destroy();
  }

  /** Ends after what is pending; `again` asks the reader to come back. */
  end(again = false): void {
    if (again) this.#write(retryLine);
    this.#ending = true;
    if (this.#pausedAt === null) this.response.end();
  }

  #write(frame: string): void {
    if (this.#ending || this.response.destroyed || frame === '') return;
    if (this.#pausedAt === null) {
      if (!this.response.write(frame)) this.#pausedAt = performance.now();
      return;
    }
    this.#pending.push(frame);
    this.#pendingBytes += Buffer.byteLength(frame);
    if (this.#pendingBytes > maxPendingBytes) this.response.destroy();
  }

  #drained(): void {
    this.#pausedAt = null;
    if (this.#pending.length > 0) {
      const frames = this.#pending.join('');
      this.#pending = [];
      this.#pendingBytes = 0;
      if (!this.response.write(frames)) this.#pausedAt = performance.now();
    }
    if (this.#ending && this.#pausedAt === null) this.response.end();
  }

  #closed(): void {
    this.#pending = [];
    this.#onClose();
    this.#onClose = () => undefined;
  }
}

/** The open streams of this gateway. */
export interface SseStreams {
  open(response: ServerResponse, headers: Record<string, string>, onClose: () => void): SseStream;
  /** Asks every reader to come back, to whichever gateway is there. */
  endAll(): void;
  close(): void;
}

export function makeSseStreams(): SseStreams {
  const streams = new Set<SseStream>();
  const ticker = setInterval(() => {
    const now = performance.now();
    for (const stream of streams) stream.beat(now);
  }, commentMs);
  ticker.unref();
  return {
    open(response, headers, onClose) {
      const stream = new SseStream(response, headers, () => {
        streams.delete(stream);
        onClose();
      });
      streams.add(stream);
      return stream;
    },
    endAll() {
      for (const stream of streams) stream.end(true);
    },
    close: () => clearInterval(ticker),
  };
}
