import { extname } from 'node:path';
import { sourceFormatOfExtension } from '@sidestage/contracts';
import type { SourceFormat } from '../parse/parse-source.js';
import { ParseError } from '../parse/parsed.js';

const formatOfType: Record<string, SourceFormat> = {
  'text/html': 'html',
  'application/xhtml+xml': 'html',
  'application/pdf': 'pdf',
  'text/vtt': 'vtt',
  'application/x-subrip': 'srt',
  'text/srt': 'srt',
  'text/markdown': 'markdown',
  'application/json': 'json3',
};

export interface FetchedBytes {
  /** Where it was in the end. */
  url: URL;
  /** Its Content-Type. */
  type: string | undefined;
  bytes: Buffer;
  /** What the creator says it is. */
  said: SourceFormat;
}

/** What an answer is: by its first bytes where they say it, by its type, by the address's ending. Throws ParseError for what is no text. */
export function detectFormat({ url, type: contentType, bytes, said }: FetchedBytes): SourceFormat {
  const beginning = bytes
    .subarray(0, 512)
    .toString('latin1')
    .replace(/^(?:\xef\xbb\xbf)?\s*/, '');
  if (beginning.startsWith('%PDF-')) return 'pdf';
  if (beginning.startsWith('WEBVTT')) return 'vtt';
  const type = contentType?.split(';')[0]?.trim().toLowerCase() ?? '';
  const byType = formatOfType[type];
  if (byType) return byType;
  // Servers that do not know captions or Markdown call them plain text or bytes.
  const byName = sourceFormatOfExtension[extname(url.pathname).toLowerCase()];
  if (byName) return byName;
  if (/^(?:<!doctype html|<html)/i.test(beginning)) return 'html';
  if (type.startsWith('text/')) return said === 'html' || said === 'pdf' ? 'text' : said;
  throw new ParseError(
    `the address answers with ${type || 'something without a type'}, which is no text, page, captions or PDF`,
  );
}

/** The text in the character set its header or, in a page, its `meta` names; UTF-8 where nothing does. Throws ParseError. */
export function decodeText(bytes: Buffer, contentType: string | undefined): string {
  const inHeader = /charset\s*=\s*["']?([\w.:-]+)/i.exec(contentType ?? '')?.[1];
  const inPage = /<meta[^>]{0,200}charset\s*=\s*["']?([\w.:-]+)/i.exec(
    bytes.subarray(0, 2_048).toString('latin1'),
  )?.[1];
  const name = inHeader ?? inPage ?? 'utf-8';
  try {
    return new TextDecoder(name).decode(bytes).replaceAll('\u0000', '').toWellFormed();
  } catch {
    throw new ParseError(`the address answers in the character set "${name}", which is not known`);
  }
}
