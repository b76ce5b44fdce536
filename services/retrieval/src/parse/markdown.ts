import { plainMarkdown, protectPunctuation } from './markdown-text.js';
import type { ParsedSegment } from './parsed.js';
import { type MarkedParagraph, readMarks } from './time-marks.js';

const speakerPattern = /^\*\*\s*([^*\n]{1,80}?)\s*(?::\s*\*\*|\*\*\s*:)\s*/;

/**
 * Markdown: articles (front matter dropped, headings and list items as paragraphs) and transcripts, in which paragraphs begin with
 * `**Speaker:**` and `\[08:07\]` marks the time.
 */
export function parseMarkdown(text: string): ParsedSegment[] {
  const blocks = readBlocks(withoutFrontMatter(text));
  return readMarks(
    isTranscript(blocks) ? withSpeakers(blocks) : blocks.map((block) => ({ text: block.text })),
    (words) => plainMarkdown(words),
  );
}

interface Block {
  kind: 'paragraph' | 'heading' | 'code';
  text: string;
}

/** Its first line is a key: a rule above a paragraph is no front matter. */
function withoutFrontMatter(text: string): string {
  return text.replace(
    /^\s*(---|\+\+\+)[ \t]*\n(?=#|["']?[\w-]+["']?\s*[:=[]|\[)[\s\S]{0,20000}?\n\1[ \t]*(?:\n|$)/,
    '',
  );
}

/** What a page would not show, up to the line with its end; without an end somebody writes about it. */
const hiddenPattern = /^\s{0,3}<(script|style)\b/i;

/** Paragraphs, headings, list items, quotes, table rows and code, in order. */
function readBlocks(text: string): Block[] {
  const blocks: Block[] = [];
  const lines: string[] = [];
  let fence: string | null = null;
  const flush = (kind: Block['kind'] = 'paragraph') => {
    const text = lines.join('\n');
    if (lines.length > 0) blocks.push({ kind, text: kind === 'code' ? protectPunctuation(text) : text });
    lines.length = 0;
  };
  let hidden: string | null = null;
  const all = text.split('\n');
  const lastEnd = {
    script: all.findLastIndex((line) => /<\/script/i.test(line)),
    style: all.findLastIndex((line) => /<\/style/i.test(line)),
  };
  const hiddenFrom = (line: string, at: number): string | null => {
    const name = hiddenPattern.exec(line)?.[1]?.toLowerCase();
    return (name === 'script' || name === 'style') && lastEnd[name] >= at ? `</${name}` : null;
  };
  for (const [at, line] of all.entries()) {
    const opening = /^\s{0,3}(`{3,}|~{3,})/.exec(line)?.[1];
    if (fence !== null) {
      if (opening?.startsWith(fence)) {
        flush('code');
        fence = null;
      } else lines.push(line);
    } else if (hidden !== null || hiddenFrom(line, at) !== null) {
      if (hidden === null) flush();
      hidden ??= hiddenFrom(line, at);
      if (hidden !== null && line.toLowerCase().includes(hidden)) hidden = null;
    } else if (opening) {
      flush();
      fence = opening;
    } else readLine(line, lines, flush, blocks);
  }
  flush(fence === null ? 'paragraph' : 'code');
  return blocks;
}

function readLine(line: string, open: string[], flush: () => void, blocks: Block[]): void {
  const quoted = line.replace(/^(?:\s{0,3}>\s?)+/, '').replace(/^\s{0,3}\[\^[^\]]{1,100}\]:\s+/, '');
  const heading = /^\s{0,3}#{1,6}\s+(.*?)(?:\s+#+)?\s*$/.exec(quoted)?.[1];
  if (quoted.trim() === '') flush();
  else if (heading !== undefined) {
    flush();
    blocks.push({ kind: 'heading', text: heading });
  } else if (/^\s{0,3}(?:=+|-+)\s*$/.test(quoted) && open.length > 0) {
    const last = open.pop() ?? '';
    flush();
    blocks.push({ kind: 'heading', text: last });
  } else if (/^\s{0,3}(?:[-*_]\s*){3,}$/.test(quoted) || /^\s*\|?\s*:?-{2,}[-:|\s]*$/.test(quoted)) flush();
  else if (/^\s*\[[^\]]+\]:\s/.test(quoted)) flush();
  else if (/^\s*\|.*\|\s*$/.test(quoted)) {
    flush();
    const cells = quoted
      .trim()
      .replace(/^\||\|$/g, '')
      .split(/(?<!\\)\|/);
    blocks.push({
      kind: 'paragraph',
      text: cells
        .map((cell) => cell.trim())
        .filter((cell) => cell !== '')
        .join(', '),
    });
  } else {
    const item = /^\s*(?:[-*+]|\d{1,9}[.)])\s+(?:\[[ xX]\]\s+)?(.*)$/.exec(quoted)?.[1];
    if (item !== undefined) flush();
    open.push(item ?? quoted.trim());
  }
}

/** Three paragraphs or more that begin with a speaker, one of whom speaks twice: an article's **Note:** is not that. */
function isTranscript(blocks: Block[]): boolean {
  const speakers = blocks.flatMap(({ text }) => speakerPattern.exec(text)?.[1] ?? []);
  return speakers.length >= 3 && new Set(speakers).size < speakers.length;
}

function withSpeakers(blocks: Block[]): MarkedParagraph[] {
  let speaker: string | undefined;
  return blocks.map(({ kind, text }) => {
    const match = speakerPattern.exec(text);
    if (match) speaker = plainMarkdown(match[1] ?? '');
    else if (kind === 'heading') speaker = undefined;
    return { ...(speaker && { speaker }), text: match ? text.slice(match[0].length) : text };
  });
}
