import { splitSentences } from '@sidestage/models';
import type { ParsedSegment } from '../parse/parsed.js';

/** A sentence (or what of it fits) in the whole text of a source. */
export interface Piece {
  /** First and one-past-last character in the whole text. */
  from: number;
  to: number;
  /** Begins a paragraph, a heading or another speaker's words. */
  opensBlock: boolean;
}

/** A segment's place in the whole text. */
export interface PlacedSegment extends ParsedSegment {
  from: number;
}

/** The whole text of a source: what was said in order, blocks two line ends apart, the cues of a block one space apart. */
export interface WholeText {
  text: string;
  segments: PlacedSegment[];
  pieces: Piece[];
}

const blockBreak = '\n\n';
/** A block is looked at in stretches of at most this many characters: one line of ten megabytes must not be one regular expression's input. */
const longestStretch = 6_000;

export function layOut(segments: readonly ParsedSegment[]): WholeText {
  const placed: PlacedSegment[] = [];
  const parts: string[] = [];
  const blocks: { from: number; to: number }[] = [];
  let length = 0;
  for (const segment of segments) {
    const breaks = placed.length === 0 || segment.opensBlock || segment.speaker !== placed.at(-1)?.speaker;
    const separator = placed.length === 0 ? '' : breaks ? blockBreak : ' ';
    parts.push(separator, segment.text);
    const from = length + separator.length;
    length = from + segment.text.length;
    placed.push({ ...segment, from });
    const block = blocks.at(-1);
    if (breaks || !block) blocks.push({ from, to: length });
    else block.to = length;
  }
  const text = parts.join('');
  return { text, segments: placed, pieces: blocks.flatMap((block) => piecesOf(text, block.from, block.to)) };
}

function piecesOf(text: string, from: number, to: number): Piece[] {
  const pieces: Piece[] = [];
  for (let start = from; start < to; ) {
    const end = to - start <= longestStretch ? to : cutBefore(text, start, start + longestStretch);
    for (const sentence of splitSentences(text.slice(start, end))) {
      const at = start + sentence.start;
      pieces.push({ from: at, to: at + sentence.text.length, opensBlock: pieces.length === 0 });
    }
    start = end;
  }
  return pieces;
}

/** The last sentence end, else the last space, else the last whole character before `limit`. */
function cutBefore(text: string, start: number, limit: number): number {
  const stretch = text.slice(start, limit);
  const sentence = Math.max(stretch.lastIndexOf('. '), stretch.lastIndexOf('? '), stretch.lastIndexOf('! '));
  if (sentence > longestStretch / 2) return start + sentence + 2;
  const space = stretch.lastIndexOf(' ');
  if (space > 0) return start + space + 1;
  const splitsPair = /[\ud800-\udbff]/.test(text[limit - 1] ?? '');
  return splitsPair ? limit - 1 : limit;
}
