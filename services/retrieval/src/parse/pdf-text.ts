import { type ParsedSegment, ParseError, tidy } from './parsed.js';

/** A stretch of text as it stands on a page. */
export interface PdfLine {
  text: string;
  /** Of its base line, from the foot of the page; points. */
  y: number;
  /** Height of its letters, points. */
  height: number;
}

/** From this share of the pages on a line at their head or foot is a running title, not the text. */
const runningShare = 0.4;
/** Fewer pages have no running titles to tell. */
const fewestPages = 4;
/** Lines at the head and at the foot of a page that may be running titles. */
const edgeLines = 2;
/** `3`, `Page 3`, `3/12`, `3 of 12`, `- 3 -` */
const pageNumber = /^(?:page\s+)?[-–—\s]*\d{1,4}(?:\s*(?:\/|of)\s*\d{1,4})?[-–—\s]*$/i;
/** A gap wider than this many lines begins a paragraph. */
const paragraphGap = 1.65;

/** Paragraphs of a document whose pages are given as lines, top to bottom. Throws ParseError where there is no text: a scan is pictures. */
export function segmentsOfPages(pages: readonly (readonly PdfLine[])[]): ParsedSegment[] {
  const running = runningTitles(pages);
  const paragraphs: string[] = [];
  for (const page of pages) {
    const isRunning = ({ text }: PdfLine) => pageNumber.test(text) || running.has(shape(text));
    const lines = page.filter((line, at) => !(isEdge(page, at) && isRunning(line)));
    for (const [at, line] of lines.entries()) {
      const before = lines[at - 1];
      const open = paragraphs.at(-1);
      // Over a page's end a sentence goes on.
      const opens = open === undefined || (before ? beginsParagraph(before, line) : /[.!?:…]["”’)]?$/.test(open));
      if (opens) paragraphs.push(line.text);
      else paragraphs[paragraphs.length - 1] = joinLines(open, line.text);
    }
  }
  const segments = paragraphs.map(tidy).filter((text) => text !== '');
  if (segments.length === 0)
    throw new ParseError('no text was found in the PDF: a scan holds pictures of pages, which are not read');
  return segments.map((text) => ({ text, opensBlock: true }));
}

function beginsParagraph(before: PdfLine, line: PdfLine): boolean {
  const gap = before.y - line.y;
  const height = Math.max(before.height, line.height, 1);
  // A line that stands higher than the one before begins another column.
  if (gap < 0) return /[.!?:…]["”’)]?$/.test(before.text);
  return gap > paragraphGap * height || Math.abs(before.height - line.height) > 0.2 * height;
}

/** A word broken at the end of a line is one word again. */
function joinLines(above: string, below: string): string {
  if (/\p{Ll}[-\u00ad\u2010]$/u.test(above) && /^\p{Ll}/u.test(below)) return above.slice(0, -1) + below;
  return `${above} ${below}`;
}

function isEdge(page: readonly PdfLine[], at: number): boolean {
  return at < edgeLines || at >= page.length - edgeLines;
}

/** The same on every page but for its number. */
function shape(text: string): string {
  return tidy(text).toLowerCase().replace(/\d+/g, '#');
}

function runningTitles(pages: readonly (readonly PdfLine[])[]): ReadonlySet<string> {
  if (pages.length < fewestPages) return new Set();
  const counts = new Map<string, number>();
  for (const page of pages) {
    const edges = new Set(page.filter((_, at) => isEdge(page, at)).map(({ text }) => shape(text)));
    for (const each of edges) counts.set(each, (counts.get(each) ?? 0) + 1);
  }
  return new Set([...counts].filter(([, count]) => count >= pages.length * runningShare).map(([each]) => each));
}
