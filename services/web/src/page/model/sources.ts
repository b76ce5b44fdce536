import type { Citation, SourceView } from '@sidestage/contracts';

export const kindWords = { video: 'Video', podcast: 'Podcast', article: 'Article', file: 'Document' } as const;

/** What the words of a source are called: spoken ones were taken down, written ones stand as they are. */
export function wordsName(kind: SourceView['kind'] | undefined): 'transcript' | 'text' {
  return kind === 'article' || kind === 'file' ? 'text' : 'transcript';
}

/** `January 17, 2026`, or null where no day is known. */
export function dayOf(publishedAt: string | null | undefined): string | null {
  if (!publishedAt) return null;
  // A day of publication is the same everywhere.
  const options = { day: 'numeric', month: 'long', year: 'numeric', timeZone: 'UTC' } as const;
  return new Date(publishedAt).toLocaleDateString('en', options);
}

/** More of a quote finds its place no better. */
const maxQuoteCharacters = 400;

/** A citation's address; our own page is also told the quoted words, so that it lights the same ones, also where there is no second. */
export function citationAddress(citation: Citation, origin: string): string {
  if (!citation.url.startsWith(`${origin}/watch/`)) return citation.url;
  return `${citation.url}#quote=${encodeURIComponent(citation.quote.slice(0, maxQuoteCharacters))}`;
}

/** The words that `citationAddress` put into an address. */
export function quoteOf(hash: string): string | null {
  const value = /^#quote=(.+)$/.exec(hash)?.[1];
  if (value === undefined) return null;
  try {
    return decodeURIComponent(value);
  } catch {
    return null;
  }
}
