import type { ParsedSegment } from '../parse/parsed.js';
import { boundaryStrengths } from './boundaries.js';
import { layOut, type Piece, type PlacedSegment, type WholeText } from './pieces.js';

/** Part of a passage and when it was said. `offset` counts characters of the passage's text. */
export interface PassageSegment {
  offset: number;
  start_seconds?: number;
  end_seconds?: number;
  speaker?: string;
  text: string;
}

export interface ChunkedPassage {
  /** Letter for letter as in the whole text: segments joined by a space, paragraphs and speakers by an empty line. */
  text: string;
  start_seconds: number | null;
  end_seconds: number | null;
  segments: PassageSegment[];
}

/**
 * Lengths in characters. A passage ends where another block begins from `good` on, else where a sentence ends from `full` on; in a source
 * without blocks (captions) where the subject shifts most between `shift` and `most`. A short end joins the passage before it.
 */
const size = { good: 520, full: 760, shift: 600, most: 900, leftover: 260 } as const;
/** Blocks that are longer in the mean, in characters, are chapters and no turns or paragraphs. */
const longBlocks = 2_500;

/**
 * Cuts a source into passages of about 500 to 900 characters that end where a sentence ends, best where another speaker, paragraph or subject
 * begins. Each cut looks at what stands around it only, so that after a change the cuts soon fall where they fell before.
 */
export function chunkSegments(segments: readonly ParsedSegment[]): ChunkedPassage[] {
  const whole = layOut(segments);
  const ranges = cutPieces(whole);
  let cursor = 0;
  return ranges.map(({ from, to }) => {
    while (cursor + 1 < whole.segments.length && (whole.segments[cursor + 1]?.from ?? 0) <= from) cursor += 1;
    return makePassage(whole, from, to, cursor);
  });
}

interface Range {
  from: number;
  to: number;
}

function cutPieces(whole: WholeText): Range[] {
  const { pieces } = whole;
  const blocks = pieces.filter(({ opensBlock }) => opensBlock).length;
  // Measured on talks with speakers: cuts at shifts of words find no more than cuts at turns.
  const strengths = whole.text.length > longBlocks * blocks ? boundaryStrengths(whole) : null;
  const ranges: Range[] = [];
  for (let start = 0; start < pieces.length; ) {
    const end = endOfPassage(pieces, strengths, start);
    ranges.push({ from: pieces[start]?.from ?? 0, to: pieces[end - 1]?.to ?? 0 });
    start = end;
  }
  return joinLeftover(ranges);
}

/** The piece that opens the next passage. */
function endOfPassage(pieces: readonly Piece[], strengths: Float64Array | null, start: number): number {
  const from = pieces[start]?.from ?? 0;
  let best: number | null = null;
  for (let end = start + 1; ; end++) {
    const length = (pieces[end - 1]?.to ?? 0) - from;
    const next = pieces[end];
    if (!next) return end;
    if (length >= size.good && next.opensBlock) return end;
    if (strengths === null) {
      if (length >= size.full) return end;
    } else if (length >= size.shift && (best === null || (strengths[end] ?? 0) > (strengths[best] ?? 0))) {
      best = end;
    }
    if (next.to - from > size.most) return best ?? end;
  }
}

/** A short end goes to the passage before it. */
function joinLeftover(ranges: Range[]): Range[] {
  const last = ranges.at(-1);
  const before = ranges.at(-2);
  if (!last || !before || last.to - last.from >= size.leftover || last.to - before.from > size.most + size.leftover)
    return ranges;
  return [...ranges.slice(0, -2), { from: before.from, to: last.to }];
}

function makePassage(whole: WholeText, from: number, to: number, firstSegment: number): ChunkedPassage {
  const parts: PassageSegment[] = [];
  for (let at = firstSegment; at < whole.segments.length; at++) {
    const segment = whole.segments[at];
    if (!segment || segment.from >= to) break;
    const part = partOf(whole.text, segment, from, to);
    if (part) parts.push(part);
  }
  return {
    text: whole.text.slice(from, to),
    start_seconds: parts.find((part) => part.start_seconds !== undefined)?.start_seconds ?? null,
    end_seconds: parts.findLast((part) => part.end_seconds !== undefined)?.end_seconds ?? null,
    segments: parts,
  };
}

/** What of a segment lies in the passage; where it was cut its seconds are shared out by length. */
function partOf(text: string, segment: PlacedSegment, from: number, to: number): PassageSegment | null {
  const start = Math.max(from, segment.from);
  const end = Math.min(to, segment.from + segment.text.length);
  if (end <= start) return null;
  const own = text.slice(start, end).trim();
  if (own === '') return null;
  const secondsAt = (position: number): number | undefined => {
    if (segment.start === undefined) return undefined;
    if (segment.end === undefined) return segment.start;
    const share = (position - segment.from) / segment.text.length;
    return Math.round((segment.start + share * (segment.end - segment.start)) * 100) / 100;
  };
  return {
    offset: start - from,
    start_seconds: secondsAt(start),
    end_seconds: segment.end === undefined ? undefined : secondsAt(end),
    ...(segment.speaker && { speaker: segment.speaker }),
    text: own,
  };
}
