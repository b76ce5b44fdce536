import type { Citation } from '@sidestage/contracts';
import { moment } from './quota.js';

/** Private-use characters that hold a mark's place while the text goes through Markdown. */
const open = '\uE000';
const close = '\uE001';
export const markPattern = /\uE000(\d+)\uE001/;

/**
 * The reply's text with a place holder after each cited sentence. Marks whose sentence has not been streamed yet wait. A mark that would
 * fall inside a word, a link's address or code is moved behind it, so that it never breaks what it stands in.
 */
export function placeMarks(text: string, citations: Citation[]): string {
  const clean = text.replace(/[\uE000\uE001]/g, ' ');
  const due = citations.filter((citation) => citation.offset <= clean.length);
  const sorted = [...due].sort((a, b) => a.offset - b.offset || a.index - b.index);
  let result = '';
  let from = 0;
  for (const citation of sorted) {
    const at = Math.max(from, safeOffset(clean, citation.offset));
    result += clean.slice(from, at);
    // A bare address would take the place holder for a part of itself.
    if (/(?:https?:\/\/|www\.)\S*$/.test(result) && !/\]\(\S*\)[.,;:!?…]*$/.test(result)) result += ' ';
    result += `${open}${citation.index}${close}`;
    from = at;
  }
  return result + clean.slice(from);
}

function safeOffset(text: string, offset: number): number {
  let at = Math.max(0, offset);
  const isWordChar = (char: string | undefined) => char !== undefined && /[\p{L}\p{N}]/u.test(char);
  while (at > 0 && at < text.length && isWordChar(text[at - 1]) && isWordChar(text[at])) at += 1;
  for (const span of text.matchAll(/\[[^\]\n]*\]\([^)\n]*\)|`[^`\n]+`|(?:https?:\/\/|www\.)[^\s)]+/g)) {
    if (at > span.index && at < span.index + span[0].length) return span.index + span[0].length;
  }
  // A mark before the full stop reads as part of the sentence; behind it, it reads as its receipt.
  while (at > 0 && at < text.length && /[.,;:!?…»”"')\]*_]/.test(text[at] ?? '')) at += 1;
  return at;
}

/** What a mark shows: the second of a recording, else the number of the citation. */
export function markLabel(citation: Citation): string {
  return citation.start_seconds === null ? `¶ ${citation.index}` : `▶ ${moment(citation.start_seconds)}`;
}

/** What a mark says to a screen reader. */
export function markDescription(citation: Citation): string {
  const where = citation.start_seconds === null ? '' : ` at ${moment(citation.start_seconds)}`;
  return `Source ${citation.index}: ${citation.title}${where}`;
}

/** The id of a YouTube video, or null for any other address. */
export function youtubeId(address: string): string | null {
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    return null;
  }
  const host = url.hostname.replace(/^(www|m|music)\./, '');
  const path = url.pathname.split('/').filter(Boolean);
  let id: string | null | undefined = null;
  if (host === 'youtu.be') id = path[0];
  else if (host === 'youtube.com' || host === 'youtube-nocookie.com') {
    id = ['embed', 'shorts', 'live', 'v'].includes(path[0] ?? '') ? path[1] : url.searchParams.get('v');
  }
  return id && /^[\w-]{6,20}$/.test(id) ? id : null;
}
