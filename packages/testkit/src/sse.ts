import { createParser } from 'eventsource-parser';

export interface SseEvent {
  /** The event's `id`, where it has one. */
  id: string | undefined;
  event: string | undefined;
  /** The data, parsed as JSON. */
  data: Record<string, unknown>;
}

/**
 * The events of a server-sent event response, as they come. Ends with the stream; leaving the loop early ends the
 * connection. Comments are passed to `onComment`.
 * @throws when the response is no event stream, or is cut.
 */
export async function* readSse(response: Response, onComment?: (text: string) => void): AsyncGenerator<SseEvent> {
  const type = response.headers.get('content-type') ?? '';
  if (!response.body || !type.startsWith('text/event-stream')) {
    throw new Error(`no event stream but ${response.status} ${type}: ${(await response.text()).slice(0, 500)}`);
  }
  const waiting: SseEvent[] = [];
  const parser = createParser({
    onEvent: ({ id, event, data }) => waiting.push({ id, event, data: JSON.parse(data) as Record<string, unknown> }),
    onComment: (text) => onComment?.(text),
  });
  const decoder = new TextDecoder();
  for await (const chunk of response.body) {
    parser.feed(decoder.decode(chunk as Uint8Array, { stream: true }));
    while (waiting.length > 0) yield waiting.shift() as SseEvent;
  }
}

/** All events of a response until it ends or `until` says that this was the last. */
export async function collectSse(
  response: Response,
  until: (event: SseEvent) => boolean = () => false,
): Promise<SseEvent[]> {
  const events: SseEvent[] = [];
  for await (const event of readSse(response)) {
    events.push(event);
    if (until(event)) break;
  }
  return events;
}
