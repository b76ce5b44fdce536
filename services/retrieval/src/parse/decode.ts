import { ParseError } from './parsed.js';

/** Share of characters that may be damaged or controls before a file counts as not text. */
const damagedShare = 0.02;

/**
 * The text of an upload with one kind of line end, without byte order mark.
 * @throws ParseError when it was not UTF-8 or is not text at all.
 */
export function cleanInput(content: string): string {
  const text = content.replace(/^\ufeff/, '').replace(/\r\n?|\u2028|\u2029|\u0085/g, '\n');
  const limit = Math.max(3, text.length * damagedShare);
  if (count(text, /\ufffd/g) > limit) {
    throw new ParseError('the file is not UTF-8 text: save it as UTF-8 and upload it again');
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  const controls = /[\u0000-\u0008\u000b\u000e-\u001f\u007f]/g;
  if (count(text, controls) > limit) throw new ParseError('the file is not text');
  return text.replace(controls, '').replaceAll('\f', '\n');
}

function count(text: string, pattern: RegExp): number {
  let found = 0;
  for (const _ of text.matchAll(pattern)) found += 1;
  return found;
}
