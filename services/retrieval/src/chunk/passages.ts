import type { ParsedSegment } from '../parse/parsed.js';
import { boundaryStrengths } from './boundaries.js';
import { layOut, type PlacedSegment, type WholeText } from './pieces.js';

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

/** Lengths in characters. A passage is near `ideal`, at most `most` (a single longer sentence stands alone), and a short end joins the one before it. */
const size = { ideal: 690, least: 260, most: 900 } as const;
/** What the best of cuts is worth, beside the cost of a passage half as long again as the ideal (0.25). */
const cutWorth = 0.3;
/** A passage below `least` says too little to be found: this much is added. */
const stubCost = 0.5;

/**
 * Cuts a source into passages of about 500 to 900 characters that end where a sentence ends, rather where another speaker or subject
 * begins than elsewhere: of all ways to cut it, the one that costs least in uneven lengths and cuts through thoughts.
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

/** The cheapest way from the first piece to behind the last (dynamic programming over the place of the last cut). */
function cutPieces(whole: WholeText): Range[] {
  const { pieces } = whole;
  const strengths = boundaryStrengths(whole);
  const best = new Float64Array(pieces.length + 1).fill(Number.POSITIVE_INFINITY);
  const lastCut = new Int32Array(pieces.length + 1);
  best[0] = 0;
  for (let end = 1; end <= pieces.length; end++) {
    const to = pieces[end - 1]?.to ?? 0;
    for (let start = end - 1; start >= 0; start--) {
      const length = to - (pieces[start]?.from ?? 0);
      if (length > size.most && start < end - 1) break;
      const cost = (best[start] ?? 0) + passageCost(length) - cutWorth * (strengths[start] ?? 0);
      if (cost < (best[end] ?? 0)) {
        best[end] = cost;
        lastCut[end] = start;
      }
    }
  }
  const ranges: Range[] = [];
  for (let end = pieces.length; end > 0; end = lastCut[end] ?? 0) {
    ranges.push({ from: pieces[lastCut[end] ?? 0]?.from ?? 0, to: pieces[end - 1]?.to ?? 0 });
  }
  return ranges.reverse();
}

function passageCost(length: number): number {
  const share = length / size.ideal - 1;
  return share * share + (length < size.least ? stubCost : 0);
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
