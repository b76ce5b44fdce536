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
  return entries.map(([id, fields]) => ({
    ...replyEventBody.parse(JSON.parse(fields[1] ?? '')),
    seq: Number.parseInt(id, 10),
  }));
}
