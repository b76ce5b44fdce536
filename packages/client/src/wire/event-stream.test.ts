import { describe, expect, test } from '@jest/globals';
import { readEventStream } from './event-stream.js';

const encoder = new TextEncoder();
const line = (seq: number) =>
  `event: delta\nid: ${seq}\ndata: {"type":"delta","text":"ü${seq}","seq":${seq},"message_id":"m","conversation_id":"c"}\n\n`;

async function read(body: ReadableStream<Uint8Array>, options: { upTo?: number; silenceMs?: number } = {}) {
  const texts: string[] = [];
  const told = { alive: 0, retryMs: 0 };
  await readEventStream(body, {
    silenceMs: options.silenceMs ?? 5_000,
    signal: new AbortController().signal,
    onAlive: () => {
      told.alive += 1;
    },
    onRetry: (ms) => {
      told.retryMs = ms;
    },
    onEvent: (event) => {
      if (event.type === 'delta') texts.push(event.text);
      return event.seq !== options.upTo;
    },
  });
  return { texts, ...told };
}

function bodyOf(bytes: Uint8Array, end: 'close' | 'cut' | 'silent'): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    start(controller) {
      // A byte at a time: characters and lines are torn wherever they can be.
      for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
      if (end === 'close') controller.close();
    },
    pull: (controller) => (end === 'cut' ? controller.error(new Error('cut')) : undefined),
  });
}

describe('an event stream', () => {
  test('is read whole however its bytes are torn', async () => {
    const bytes = encoder.encode(`retry: 1500\n\n: waiting\n\n${line(1)}${line(2)}`);
    expect(await read(bodyOf(bytes, 'close'))).toEqual({ texts: ['ü1', 'ü2'], alive: bytes.length, retryMs: 1500 });
  });

  test('that is cut gives the events that are whole, wherever the cut is', async () => {
    const bytes = encoder.encode(line(1) + line(2));
    const firstEnds = encoder.encode(line(1)).length;
    for (const end of [firstEnds, firstEnds + 1, firstEnds + 30, bytes.length - 1]) {
      expect((await read(bodyOf(bytes.subarray(0, end), 'cut'))).texts).toEqual(['ü1']);
    }
  });

  test('that falls silent is given up, as a half-open line would never end', async () => {
    expect((await read(bodyOf(encoder.encode(line(1)), 'silent'), { silenceMs: 50 })).texts).toEqual(['ü1']);
  });

  test('is left as soon as nothing more is wanted', async () => {
    const body = bodyOf(encoder.encode(line(1) + line(2) + line(3)), 'silent');
    expect((await read(body, { upTo: 2 })).texts).toEqual(['ü1', 'ü2']);
  });
});
