import type { WholeText } from './pieces.js';

/** Characters on either side of a gap whose words are compared. */
const reach = 360;
/** Letters of a word that count: a rough stem in any language that writes words with spaces. */
const stemLetters = 6;
/** Shorter words say how, not what about. */
const fewestLetters = 4;
/** A silence this long between two cues, in seconds, is a breath between two thoughts. */
const longPause = 1.5;

/** What speaks for a cut before a piece, and against it: adds up to -0.35 to 1. */
const weights = {
  /** Another speaker, a paragraph, a heading. */
  block: 0.4,
  /** Other words after it than before it. */
  shift: 0.45,
  /** A question opens what is said next. */
  question: 0.15,
  pause: 0.15,
  /** Its question just before it: an answer cut from it is half a thought. */
  answer: -0.35,
} as const;

/**
 * How good a cut before each piece is. It looks at what stands around and no further: the same words are cut in the same places wherever
 * they stand, and where a source changed only there. The shift of words is TextTiling's depth (Hearst, "TextTiling", 1997).
 */
export function boundaryStrengths({ text, pieces, segments }: WholeText): Float64Array {
  const words = pieces.map(({ from, to }) => contentWords(text.slice(from, to)));
  const likeness = Float64Array.from(pieces, (_, at) => likenessAround(pieces, words, at));
  const paused = pausesOf(segments);
  return Float64Array.from(pieces, (piece, at) => {
    if (at === 0) return 1;
    const endsInQuestion = /\?["”’)]?$/.test(text.slice(pieces[at - 1]?.from, pieces[at - 1]?.to));
    const asks = /\?["”’)]?$/.test(text.slice(piece.from, piece.to));
    return (
      (piece.opensBlock ? weights.block : 0) +
      weights.shift * depth(likeness, at) +
      (asks && !endsInQuestion ? weights.question : 0) +
      (paused.has(piece.from) ? weights.pause : 0) +
      (endsInQuestion && !asks ? weights.answer : 0)
    );
  });
}

function contentWords(text: string): string[] {
  const words = text.toLowerCase().match(/\p{L}+/gu) ?? [];
  return words.filter((word) => word.length >= fewestLetters).map((word) => word.slice(0, stemLetters));
}

/** Cosine of the words before the piece and from it on: 0 to 1. */
function likenessAround(pieces: WholeText['pieces'], words: readonly string[][], at: number): number {
  const before = count(pieces, words, at - 1, -1);
  const after = count(pieces, words, at, 1);
  let product = 0;
  for (const [word, times] of before) product += times * (after.get(word) ?? 0);
  const length = (counts: Map<string, number>) =>
    Math.sqrt([...counts.values()].reduce((sum, each) => sum + each * each, 0));
  return product === 0 ? 0 : product / (length(before) * length(after));
}

function count(
  pieces: WholeText['pieces'],
  words: readonly string[][],
  first: number,
  step: 1 | -1,
): Map<string, number> {
  const counts = new Map<string, number>();
  let seen = 0;
  for (let at = first; at >= 0 && at < pieces.length && seen < reach; at += step) {
    for (const word of words[at] ?? []) counts.set(word, (counts.get(word) ?? 0) + 1);
    seen += (pieces[at]?.to ?? 0) - (pieces[at]?.from ?? 0);
  }
  return counts;
}

/** How far the likeness falls here from the nearest heights on both sides: 0 to 1. */
function depth(likeness: Float64Array, at: number): number {
  const here = likeness[at] ?? 0;
  const climb = (step: 1 | -1) => {
    let peak = here;
    for (let next = at + step; next > 0 && next < likeness.length && (likeness[next] ?? 0) >= peak; next += step)
      peak = likeness[next] ?? 0;
    return peak - here;
  };
  return Math.min(1, 1.5 * (climb(-1) + climb(1)));
}

/** Where in the text something is said after a pause. */
function pausesOf(segments: WholeText['segments']): ReadonlySet<number> {
  const found = new Set<number>();
  for (const [at, { start, from }] of segments.entries()) {
    const end = segments[at - 1]?.end;
    if (start !== undefined && end !== undefined && start - end >= longPause) found.add(from);
  }
  return found;
}
