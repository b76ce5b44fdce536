import { type ReplyEvent, replyEventBody } from '@sidestage/contracts';
import { z } from 'zod';

const numbered = z.intersection(z.object({ seq: z.number().int() }), replyEventBody);
const batch = z.array(numbered);

/** What a channel carries: a JSON array of numbered events. Null for what cannot be read (a newer version's event). */
export function parseBatch(payload: string): ReplyEvent[] | null {
  try {
    return batch.parse(JSON.parse(payload));
  } catch {
    return null;
  }
}

/** Entries of a stream as ioredis gives them: [`<seq>-0`, ['e', json]]. */
export function parseEntries(entries: [string, string[]][]): ReplyEvent[] {
  return entries.map(([id, fields]) => numberedEvent(Number.parseInt(id, 10), JSON.parse(fields[1] ?? '')));
}

/** However an event comes, live, from the stream or from Postgres, its keys stand in one order: what is told twice is the same bytes. */
export function numberedEvent(seq: number, body: unknown): ReplyEvent {
  return { seq, ...replyEventBody.parse(body) };
}
