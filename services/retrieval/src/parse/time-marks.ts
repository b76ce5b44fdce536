import { type ParsedSegment, tidy } from './parsed.js';

/** A paragraph before its marks are taken out. */
export interface MarkedParagraph {
  speaker?: string;
  text: string;
}

interface Mark {
  seconds: number;
  /** Characters of clean text before it. */
  position: number;
}

/** `\[08:07\]`, `[1:08:07]` or `(08:07)`; a link's `[08:07](...)` counts too, its address is taken with it. */
const markPattern = /\\?\[(?:(\d{1,2}):)?(\d{1,3}):([0-5]\d)(?:\.\d+)?\\?\](?:\([^()\s]{1,300}\))?/g;
/** What people say in a second when nothing better is known. */
const charactersPerSecond = 15;

/**
 * Takes the time marks out and gives each stretch its seconds: between two marks by its place in the text, so always inside them; after
 * the last by the rate of speech before. A mark that would go back in time is a slip of the pen and counts for nothing.
 */
export function readMarks(paragraphs: MarkedParagraph[], clean: (text: string) => string): ParsedSegment[] {
  const marks: Mark[] = [];
  const segments: (ParsedSegment & { position: number })[] = [];
  let position = 0;
  for (const { speaker, text } of paragraphs) {
    let opensBlock = true;
    for (const piece of splitAtMarks(text)) {
      if (piece.seconds !== null) marks.push({ seconds: piece.seconds, position });
      const words = tidy(clean(piece.text));
      if (words === '') continue;
      segments.push({ ...(speaker && { speaker }), text: words, opensBlock, position });
      position += words.length + 1;
      opensBlock = false;
    }
  }
  const usable = longestRise(marks);
  if (usable.length === 0) return segments.map(({ position: _, ...segment }) => segment);
  const timeAt = makeClock(usable, position);
  return segments.map(({ position: at, ...segment }) => ({
    ...segment,
    start: timeAt(at),
    end: timeAt(at + segment.text.length + 1),
  }));
}

function splitAtMarks(text: string): { seconds: number | null; text: string }[] {
  const pieces: { seconds: number | null; text: string }[] = [];
  let from = 0;
  let seconds: number | null = null;
  for (const match of text.matchAll(markPattern)) {
    pieces.push({ seconds, text: text.slice(from, match.index) });
    seconds = Number(match[1] ?? 0) * 3600 + Number(match[2]) * 60 + Number(match[3]);
    from = match.index + match[0].length;
  }
  pieces.push({ seconds, text: text.slice(from) });
  return pieces;
}

/** The longest run of marks whose seconds never fall (patience sorting). */
function longestRise(marks: Mark[]): Mark[] {
  const tails: number[] = [];
  const before: number[] = [];
  for (const [at, mark] of marks.entries()) {
    let low = 0;
    let high = tails.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((marks[tails[middle] ?? 0]?.seconds ?? 0) <= mark.seconds) low = middle + 1;
      else high = middle;
    }
    before[at] = low > 0 ? (tails[low - 1] ?? -1) : -1;
    tails[low] = at;
  }
  const rise: Mark[] = [];
  for (let at = tails.at(-1) ?? -1; at >= 0; at = before[at] ?? -1) {
    const mark = marks[at];
    if (mark) rise.push(mark);
  }
  return rise.reverse();
}

function makeClock(marks: Mark[], length: number): (position: number) => number {
  const first = marks[0];
  const last = marks.at(-1);
  if (!first || !last) return () => 0;
  const known = last.seconds - first.seconds;
  const rate = known > 30 ? Math.max(5, (last.position - first.position) / known) : charactersPerSecond;
  const points: Mark[] = [
    ...(first.position > 0 ? [{ seconds: 0, position: 0 }] : []),
    ...marks,
    { seconds: last.seconds + (length - last.position) / rate, position: Math.max(length, last.position) },
  ];
  let at = 0;
  return (position) => {
    if (position < (points[at]?.position ?? 0)) at = 0;
    while (at + 2 < points.length && (points[at + 1]?.position ?? 0) <= position) at += 1;
    const [from, to] = [points[at], points[at + 1]];
    if (!from || !to) return first.seconds;
    const share = to.position > from.position ? (position - from.position) / (to.position - from.position) : 0;
    return Math.round((from.seconds + Math.min(1, Math.max(0, share)) * (to.seconds - from.seconds)) * 100) / 100;
  };
}
