import type { SocketConstructor } from '@sidestage/client';
import { type ClientEvent, isTerminal } from '@sidestage/contracts';
import { createParser } from 'eventsource-parser';
import WebSocket from 'ws';
import { z } from 'zod';
import type { Hearing } from '../ledger/records.js';

const numbered = z.looseObject({ seq: z.number(), type: z.string(), message_id: z.string() });
const resume = z.object({ type: z.literal('resume'), message_id: z.string(), last_seq: z.number() });

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Writes down every reply event as it comes off the wire, below the fans' program: what that program makes of it is judged apart. */
export function makeWireTap() {
  const byMessage = new Map<string, Hearing[]>();
  const open = new Map<Hearing, string>();

  function begin(messageId: string, address: string, afterSeq: number): Hearing {
    const hearing: Hearing = { address, afterSeq, begunAt: Date.now(), heardAt: null, events: [] };
    const known = byMessage.get(messageId);
    if (known) known.push(hearing);
    else byMessage.set(messageId, [hearing]);
    open.set(hearing, messageId);
    return hearing;
  }

  /** One connection; on it each turn is heard once, or anew after each `resume`. */
  function connection(address: string) {
    const hearings = new Map<string, Hearing>();
    return {
      resume(messageId: string, afterSeq: number): void {
        const before = hearings.get(messageId);
        if (before) open.delete(before);
        hearings.set(messageId, begin(messageId, address, afterSeq));
      },
      event(text: string): void {
        const event = numbered.safeParse(parse(text));
        if (!event.success) return;
        const { message_id: messageId } = event.data;
        const hearing = hearings.get(messageId) ?? begin(messageId, address, 0);
        hearings.set(messageId, hearing);
        hearing.heardAt ??= Date.now();
        const heard = event.data as unknown as ClientEvent;
        hearing.events.push(heard);
        if (isTerminal(heard.type)) open.delete(hearing);
      },
      close(): void {
        for (const hearing of hearings.values()) open.delete(hearing);
      },
    };
  }

  function tapStream(
    response: Response,
    address: string,
    asked: { messageId: string; afterSeq: number } | null,
  ): Response {
    if (!response.body) return response;
    const wire = connection(address);
    if (asked) wire.resume(asked.messageId, asked.afterSeq);
    const parser = createParser({ onEvent: ({ data }) => wire.event(data) });
    const decoder = new TextDecoder();
    const reader = response.body.getReader();
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (done) {
            wire.close();
            controller.close();
            return;
          }
          parser.feed(decoder.decode(value, { stream: true }));
          controller.enqueue(value);
        } catch (error) {
          wire.close();
          controller.error(error);
        }
      },
      async cancel(reason) {
        wire.close();
        await reader.cancel(reason);
      },
    });
    return new Response(body, { status: response.status, headers: response.headers });
  }

  const tappedFetch: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    if (!response.headers.get('content-type')?.startsWith('text/event-stream')) return response;
    const url = new URL(input instanceof Request ? input.url : String(input));
    const messageId = /\/messages\/([^/]+)\/events$/.exec(url.pathname)?.[1];
    const afterSeq = Number(new Headers(init?.headers).get('last-event-id') ?? 0);
    return tapStream(response, url.origin, messageId === undefined ? null : { messageId, afterSeq });
  };

  class TappedSocket extends WebSocket {
    readonly #wire: ReturnType<typeof connection>;

    constructor(address: string | URL, protocols?: string | string[]) {
      super(address, protocols);
      const { host } = new URL(address);
      this.#wire = connection(`http://${host}`);
      this.on('message', (data) => this.#wire.event(String(data)));
      this.on('close', () => this.#wire.close());
    }

    override send(data: Parameters<WebSocket['send']>[0], ...rest: unknown[]): void {
      const frame = resume.safeParse(parse(String(data)));
      if (frame.success) this.#wire.resume(frame.data.message_id, frame.data.last_seq);
      Reflect.apply(super.send, this, [data, ...rest]);
    }
  }

  return {
    fetch: tappedFetch,
    WebSocket: TappedSocket as SocketConstructor,
    hearings: byMessage as ReadonlyMap<string, readonly Hearing[]>,
    /** Turns whose stream through this gateway is open and has not ended. */
    openAt: (address: string): { messageId: string; midReply: boolean }[] =>
      [...open].flatMap(([hearing, messageId]) =>
        hearing.address === address
          ? [{ messageId, midReply: hearing.events.some(({ type }) => type === 'delta') }]
          : [],
      ),
  };
}
export type WireTap = ReturnType<typeof makeWireTap>;
