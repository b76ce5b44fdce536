import type { Segment } from '@sidestage/contracts';

/** A piece of a segment's text; `lit` marks the quoted words. */
export interface Piece {
  text: string;
  lit: boolean;
}
/** Cues read better as paragraphs: a new one at a change of speaker or after some while. */
export interface Paragraph {
  startSeconds: number | null;
  /** Only where another one begins to speak. */
  speaker: string | null;
  pieces: Piece[];
  lit: boolean;
  isHeading: boolean;
}
export interface Spot {
  startSeconds: number | null;
  endSeconds: number | null;
  quote: string | null;
}

/** From here on a paragraph ends with its sentence, and at the second figure in any case. */
const paragraphSeconds = [40, 90] as const;
const paragraphCharacters = [420, 900] as const;
const maxHeadingCharacters = 90;

/**
 * The words of a source in paragraphs, with the quoted ones lit: by the words themselves, else by the seconds.
 * @param title stands over them already, so a text does not begin with it again
 */
export function layTranscript(segments: Segment[], spot: Spot, title = ''): Paragraph[] {
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
  let speaking: string | null = null;
  segments.forEach((segment, index) => {
    if (index === 0 && !ranges.has(0) && repeatsTitle(segment, title)) return;
    const range = ranges.get(index);
    const pieces = split(segment.text, range);
    const last = paragraphs.at(-1);
    const speaker = segment.speaker ?? null;
    // The cited moment begins a paragraph where it can, so that its second stands beside it.
    const beginsQuote = range?.[0] === 0 && !ranges.has(index - 1) && endsSentence(last);
    if (!last || speaker !== speaking || beginsQuote || startsParagraph(last, segment, length)) {
      length = 0;
      paragraphs.push({
        startSeconds: segment.start_seconds ?? null,
        speaker: speaker === speaking ? null : speaker,
        pieces,
        lit: range !== undefined,
        isHeading: isHeading(segments, index),
      });
      speaking = speaker;
    } else {
      join(last.pieces, pieces);
      last.lit ||= range !== undefined;
    }
    length += segment.text.length;
  });
  return paragraphs;
}

function startsParagraph(last: Paragraph, segment: Segment, length: number): boolean {
  if (segment.start_seconds === undefined || last.startSeconds === null) return true;
  const seconds = segment.start_seconds - last.startSeconds;
  const reaches = (limit: 0 | 1) => seconds >= paragraphSeconds[limit] || length >= paragraphCharacters[limit];
  return reaches(1) || (reaches(0) && endsSentence(last));
}

function endsSentence(paragraph: Paragraph | undefined): boolean {
  return /[.!?…。！？]["”’»)]*$/.test(paragraph?.pieces.at(-1)?.text ?? '');
}

function repeatsTitle({ start_seconds, text }: Segment, title: string): boolean {
  return start_seconds === undefined && [...text].map(fold).join('') === [...title].map(fold).join('');
}

/**
 * Written sources come as bare paragraphs. A short one without a full stop between two of prose is the heading of the second; rows of a table
 * and items of a list stand among their like.
 */
function isHeading(segments: Segment[], index: number): boolean {
  const { start_seconds, speaker, text = '' } = segments[index] ?? {};
  if (start_seconds !== undefined || speaker !== undefined) return false;
  if (text.length > maxHeadingCharacters || /[.:;,…]$|,\s*\d/.test(text)) return false;
  const before = segments[index - 1]?.text;
  const after = segments[index + 1]?.text ?? '';
  const followsProse = before === undefined || index === 1 || /[.!?…]["”’»)]*$/.test(before);
  return followsProse && (after.length > maxHeadingCharacters || /[.!?:…]["”’»)]*$/.test(after));
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
