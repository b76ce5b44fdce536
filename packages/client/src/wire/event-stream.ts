import type { ClientEvent } from '@sidestage/contracts';
import { createParser } from 'eventsource-parser';
import { parseFrame } from './frames.js';

export interface EventStreamParts {
  /** False ends the reading. */
  onEvent: (event: ClientEvent) => boolean;
  /** Anything came, be it only a comment. */
  onAlive: () => void;
  /** `retry:` told how long to wait before coming back, ms. */
  onRetry: (ms: number) => void;
  /** A stream that brings nothing for this long is given up, ms. */
  silenceMs: number;
  signal: AbortSignal;
}

/** Reads reply events until the stream ends, breaks, falls silent, or `onEvent` has enough. Never throws for a cut line. */
export async function readEventStream(body: ReadableStream<Uint8Array>, parts: EventStreamParts): Promise<void> {
  const { onEvent, onAlive, onRetry, silenceMs, signal } = parts;
  let enough = false;
  const parser = createParser({
    onEvent: ({ data }) => {
      const frame = parseFrame(data);
      if (!enough && frame && 'seq' in frame) enough = !onEvent(frame);
    },
    onRetry,
  });
  const decoder = new TextDecoder();
  const reader = body.getReader();
  const stop = () => void reader.cancel().catch(() => undefined);
  signal.addEventListener('abort', stop);
  let silence = setTimeout(stop, silenceMs);
  try {
    while (!enough && !signal.aborted) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(silence);
      silence = setTimeout(stop, silenceMs);
      onAlive();
      parser.feed(decoder.decode(value, { stream: true }));
    }
  } catch {
    // Cut in the middle: what came is kept, and the rest is asked for again.
  } finally {
    clearTimeout(silence);
    signal.removeEventListener('abort', stop);
    stop();
  }
}
