/** A stretch of a text: `text` is `source.slice(start, start + text.length)`, trimmed. */
export interface Span {
  start: number;
  text: string;
}

const abbreviation =
  /(?:^|[\s("“])(?:Dr|Mr|Mrs|Ms|Prof|St|Jr|Sr|vs|etc|approx|e\.g|i\.e|cf|No|Fig|Vol|Ph\.D|Psy\.D|Inc|Ltd|Co|U\.S|\p{Lu})\.$/u;
const segmenter = new Intl.Segmenter('en', { granularity: 'sentence' });

/** Spoken transcripts without punctuation are one "sentence" of a thousand characters: beyond this a sentence is cut at a pause or a word. */
const longestSentence = 320;

/** The sentences of a text, each letter for letter as it stands there. */
export function splitSentences(text: string): Span[] {
  const spans: Span[] = [];
  let open: Span | null = null;
  for (const { segment, index } of segmenter.segment(text)) {
    open = open === null ? { start: index, text: segment } : { start: open.start, text: open.text + segment };
    const soFar = open.text.trimEnd();
    const endsLine = /\n\s*$/.test(open.text) && (/\n\s*\n\s*$/.test(open.text) || /[.!?…。！？।:"”]$/.test(soFar));
    if (!endsLine && (abbreviation.test(soFar) || !/[.!?…。！？।]["'”’»)\]]*$/.test(soFar))) continue;
    spans.push(...trimmed(open));
    open = null;
  }
  if (open) spans.push(...trimmed(open));
  return spans.flatMap(cutLong);
}

function trimmed(span: Span): Span[] {
  const text = span.text.trim();
  if (text === '') return [];
  return [{ start: span.start + (span.text.length - span.text.trimStart().length), text }];
}

function cutLong(span: Span): Span[] {
  if (span.text.length <= longestSentence) return [span];
  const room = span.text.slice(0, 240);
  const pause = Math.max(
    room.lastIndexOf(', '),
    room.lastIndexOf('; '),
    room.lastIndexOf('... '),
    room.lastIndexOf(' - '),
  );
  const at = pause > 100 ? pause + 1 : room.lastIndexOf(' ');
  const cut = at > 0 ? at : 240;
  const head = { start: span.start, text: span.text.slice(0, cut) };
  const tail = { start: span.start + cut, text: span.text.slice(cut) };
  return [...trimmed(head), ...trimmed(tail).flatMap(cutLong)];
}
