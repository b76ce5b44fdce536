import type { sourceFormats } from '@sidestage/contracts';
import { cleanInput } from './decode.js';
import { parseHtml } from './html.js';
import { parseJson3 } from './json3.js';
import { parseMarkdown } from './markdown.js';
import { type ParsedSegment, ParseError } from './parsed.js';
import { parsePlainText } from './plain-text.js';
import { parseSrt } from './srt.js';
import { parseVtt } from './vtt.js';

export type SourceFormat = (typeof sourceFormats)[number];
/** A PDF is read by a process of its own (read-pdf.ts). */
export type TextFormat = Exclude<SourceFormat, 'pdf'>;

const parsers: Record<TextFormat, (text: string) => ParsedSegment[]> = {
  srt: parseSrt,
  vtt: parseVtt,
  json3: parseJson3,
  markdown: parseMarkdown,
  html: parseHtml,
  text: parsePlainText,
};

/** A source's text in order, with its seconds where it says them. Throws ParseError, whose message is for the creator. */
export function parseSource(format: TextFormat, content: string): ParsedSegment[] {
  const segments = parsers[format](cleanInput(content)).filter(({ text }) => /[\p{L}\p{N}]/u.test(text));
  if (segments.length === 0) throw new ParseError('no text was found in the file');
  return segments;
}
