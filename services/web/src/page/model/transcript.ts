import type { Segment } from '@sidestage/contracts';

/** A piece of a segment's text; `lit` marks the quoted words. */
export interface Piece {
  text: string;
  lit: boolean;
}
/** Cues read better as paragraphs: a new one at a change of speaker or after some while. */
export interface Paragraph {
  startSeconds: number | null;
  speaker: string | null;
  pieces: Piece[];
  lit: boolean;
}
export interface Spot {
  startSeconds: number | null;
  endSeconds: number | null;
  quote: string | null;
}

const paragraphSeconds = 40;
const paragraphCharacters = 420;

/** The transcript in paragraphs, with the quoted words lit: by the words themselves, else by the seconds. */
export function layTranscript(segments: Segment[], spot: Spot): Paragraph[] {
  const ranges = spot.quote
    ? quoteRanges(segments, spot.quote, spot.startSeconds)
    : new Map<number, [number, number]>();
  if (ranges.size === 0 && spot.startSeconds !== null) {
    for (const index of cuesAt(segments, spot.startSeconds, spot.endSeconds)) {
      ranges.set(index, [0, segments[index]?.text.length ?? 0]);
    }
  }
  const paragraphs: Paragraph[] = [];
  let length = 0;
  segments.forEach((segment, index) => {
    const range = ranges.get(index);
    const pieces = split(segment.text, range);
    const last = paragraphs.at(-1);
    if (!last || startsParagraph(last, segment, length)) {
      length = 0;
      const startSeconds = segment.start_seconds ?? null;
      paragraphs.push({ startSeconds, speaker: segment.speaker ?? null, pieces, lit: range !== undefined });
    } else {
      join(last.pieces, pieces);
      last.lit ||= range !== undefined;
    }
    length += segment.text.length;
  });
  return paragraphs;
}

function startsParagraph(last: Paragraph, segment: Segment, length: number): boolean {
  if ((segment.speaker ?? null) !== last.speaker) return true;
  if (segment.start_seconds === undefined || last.startSeconds === null) return true;
  return segment.start_seconds - last.startSeconds >= paragraphSeconds || length >= paragraphCharacters;
}

/** Indexes of the cues that overlap the span; a moment without an end is the one cue running at it. */
export function cuesAt(segments: Segment[], startSeconds: number, endSeconds: number | null): number[] {
  const timed = segments.flatMap((segment, index) =>
    segment.start_seconds === undefined ? [] : [{ index, start: segment.start_seconds }],
  );
  // An address carries whole seconds, so a cue that begins within that second is the one meant.
  const running = timed.filter((cue) => cue.start < Math.floor(startSeconds) + 1).at(-1) ?? timed[0];
  if (!running) return [];
  if (endSeconds === null) return [running.index];
  const more = timed.filter((cue) => cue.index > running.index && cue.start < endSeconds - 0.05);
  return [running.index, ...more.map((cue) => cue.index)];
}

/** For each segment that holds a part of the quote, the range of its characters. The match nearest to `nearSeconds` wins. */
function quoteRanges(segments: Segment[], quote: string, nearSeconds: number | null): Map<number, [number, number]> {
  let folded = '';
  const origin: { segment: number; at: number }[] = [];
  segments.forEach((segment, index) => {
    for (let at = 0; at < segment.text.length; at += 1) {
      const char = fold(segment.text[at] ?? '');
      if (char === '') continue;
      folded += char;
      origin.push({ segment: index, at });
    }
  });
  const wanted = [...quote].map(fold).join('');
  if (wanted.length < 3) return new Map();
  let best: { start: number; distance: number } | null = null;
  for (let start = folded.indexOf(wanted); start >= 0; start = folded.indexOf(wanted, start + 1)) {
    const seconds = segments[origin[start]?.segment ?? 0]?.start_seconds;
    const distance = nearSeconds === null || seconds === undefined ? 0 : Math.abs(seconds - nearSeconds);
    if (best === null || distance < best.distance) best = { start, distance };
  }
  const ranges = new Map<number, [number, number]>();
  if (best === null) return ranges;
  for (const place of origin.slice(best.start, best.start + wanted.length)) {
    const known = ranges.get(place.segment);
    ranges.set(place.segment, [known?.[0] ?? place.at, place.at + 1]);
  }
  return ranges;
}

/** Letters and digits only, in lower case: line breaks and typographic quotes differ between a quote and its source. One character at most. */
function fold(char: string): string {
  if (!/[\p{L}\p{N}]/u.test(char)) return '';
  const lower = char.toLowerCase();
  return lower.length === 1 ? lower : char;
}

function split(text: string, range: [number, number] | undefined): Piece[] {
  if (!range) return [{ text, lit: false }];
  // A quote's closing mark belongs to the lit words.
  let end = range[1];
  while (end < text.length && /[.,;:!?…”"’')]/.test(text[end] ?? '')) end += 1;
  return [
    { text: text.slice(0, range[0]), lit: false },
    { text: text.slice(range[0], end), lit: true },
    { text: text.slice(end), lit: false },
  ].filter((piece) => piece.text !== '');
}

/** Appends a cue's pieces behind a space; words lit across the seam stay one piece. */
function join(pieces: Piece[], more: Piece[]): void {
  for (const [at, piece] of more.entries()) {
    const last = pieces.at(-1);
    const gap = at === 0 ? ' ' : '';
    if (last?.lit === piece.lit) last.text += gap + piece.text;
    else if (last && !last.lit) {
      last.text += gap;
      pieces.push(piece);
    } else pieces.push({ ...piece, text: gap + piece.text });
  }
}
