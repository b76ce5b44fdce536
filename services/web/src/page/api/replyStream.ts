import type { ClientEvent } from '@sidestage/contracts';
import { createParser } from 'eventsource-parser';
import { parseFrame } from './frames.js';

/** Reads an SSE body until it ends or breaks. Throws when the connection is cut. */
export async function readReplyEvents(
  body: ReadableStream<Uint8Array>,
  onEvent: (event: ClientEvent) => void,
): Promise<void> {
  const parser = createParser({
    onEvent: ({ data }) => {
      const frame = parseFrame(data);
      if (frame && 'seq' in frame) onEvent(frame);
    },
  });
  const decoder = new TextDecoder();
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    parser.feed(decoder.decode(value, { stream: true }));
  }
}
