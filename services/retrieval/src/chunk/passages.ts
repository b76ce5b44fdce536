import type { ParsedSegment } from '../parse/parsed.js';
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

/** Lengths in characters. A passage ends at the end of a paragraph from `good` on, at the end of a sentence from `full` on. */
const size = { good: 520, full: 760, most: 900, leftover: 260 };

/** Cuts a source into passages of about 500 to 900 characters that end where a sentence ends. */
export function chunkSegments(segments: readonly ParsedSegment[]): ChunkedPassage[] {
  const whole = layOut(segments);
  const ranges = packPieces(whole.pieces);
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

function packPieces(pieces: Piece[]): Range[] {
  const ranges: Range[] = [];
  let open: Range | null = null;
  for (const piece of pieces) {
    const length: number = open ? open.to - open.from : 0;
    const fits: boolean = open !== null && piece.to - open.from <= size.most;
    const isFull = length >= size.full || (piece.opensBlock && length >= size.good);
    if (open && fits && !isFull) open.to = piece.to;
    else {
      if (open) ranges.push(open);
      open = { from: piece.from, to: piece.to };
    }
  }
  if (open) ranges.push(open);
  return joinLeftover(ranges);
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
