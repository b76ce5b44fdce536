import type { ClientEvent } from '@sidestage/contracts';
import { isTerminal } from '@sidestage/contracts';
import type { Hearing, Verdict } from './records.js';

/** A buffer that was lost begins anew: the one jump that is allowed, because it says so. */
function isNewBuffer(event: ClientEvent): boolean {
  return event.type === 'reset' && event.recovered === false;
}

/** Each event once, in order, without a hole, and nothing after the end: null where the connection kept all of it. */
export function judgeHearing({ afterSeq, events }: Hearing): Verdict | null {
  let last = afterSeq;
  let ended = false;
  for (const event of events) {
    // Said by the gateway itself when Redis could not number it.
    if (event.seq === 0 && event.type === 'queued' && last === 0) continue;
    if (ended) return { kind: 'duplicated', why: `${event.type} ${event.seq} after the end` };
    if (event.seq <= last) return { kind: 'duplicated', why: `number ${event.seq} after ${last}` };
    if (event.seq > last + 1 && !isNewBuffer(event)) return { kind: 'gap', why: `number ${event.seq} after ${last}` };
    last = event.seq;
    ended = isTerminal(event.type);
  }
  return null;
}

/** What all connections together told, by number; a number that was said differently is a broken promise. */
export function joinHearings(hearings: readonly Hearing[]): { events: ClientEvent[]; verdict: Verdict | null } {
  const bySeq = new Map<number, { event: ClientEvent; bytes: string }>();
  for (const { events } of hearings) {
    for (const event of events) {
      if (event.seq === 0) continue;
      const bytes = JSON.stringify(event);
      const known = bySeq.get(event.seq);
      if (known && known.bytes !== bytes)
        return { events: [], verdict: { kind: 'duplicated', why: `number ${event.seq} was said in two ways` } };
      bySeq.set(event.seq, { event, bytes });
    }
  }
  const events = [...bySeq.entries()].sort(([a], [b]) => a - b).map(([, { event }]) => event);
  return { events, verdict: null };
}

/** The text a reader has at the end: pieces after the last reset. */
export function shownText(events: readonly ClientEvent[]): string {
  let text = '';
  for (const event of events) {
    if (event.type === 'reset') text = '';
    if (event.type === 'delta') text += event.text;
  }
  return text;
}
