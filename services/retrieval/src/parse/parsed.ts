/** A stretch of a source as it was said or written: a cue, or a paragraph between two time marks. */
export interface ParsedSegment {
  /** Seconds from the beginning; absent where the source says none. */
  start?: number;
  end?: number;
  speaker?: string;
  /** Never empty; runs of white space are one space. */
  text: string;
  /** Begins a paragraph, a heading or another speaker's words; a cue that goes on in the next does not. */
  opensBlock: boolean;
}

/** The source cannot be used as it is; the message is shown to its creator. Trying again changes nothing. */
export class ParseError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ParseError';
  }
}

/** White space as everywhere here: runs are one space, none at the ends; invisible characters are dropped. */
export function tidy(text: string): string {
  return text
    .replace(/[\u200b\u200e\u200f\u2060\ufeff\u00ad]/g, '')
    .replace(/\s+/g, ' ')
    .trim();
}
