import type { RetrievedPassage } from '@sidestage/contracts';

export interface Seconds {
  start: number | null;
  end: number | null;
}

/**
 * When a verbatim `quote` of the passage is said: from the start of the first segment it touches to the end of the last. Where segments have
 * marks only (no end), to the next mark; before the first mark, from the passage's own start. Null where the source has no seconds.
 */
export function quoteSeconds(passage: RetrievedPassage, quote: string): Seconds {
  const at = passage.text.indexOf(quote);
  const { segments } = passage;
  if (at === -1 || segments.length === 0) return { start: passage.start_seconds, end: passage.end_seconds };
  const until = at + quote.length;
  const endOf = (index: number) => segments[index + 1]?.offset ?? passage.text.length;
  const first = segments.findIndex((_, index) => endOf(index) > at);
  const last = segments.findLastIndex((segment) => segment.offset < until);
  const start = lastMark(segments.slice(0, first + 1).map((segment) => segment.start_seconds)) ?? passage.start_seconds;
  const end =
    segments[last]?.end_seconds ??
    segments.slice(last + 1).find((segment) => segment.start_seconds !== undefined)?.start_seconds ??
    passage.end_seconds;
  return { start, end };
}

function lastMark(marks: (number | undefined)[]): number | undefined {
  return marks.findLast((mark) => mark !== undefined);
}
