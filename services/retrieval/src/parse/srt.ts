import { cuesToSegments, isTimeLine, parseTimeLine } from './cues.js';
import { type ParsedSegment, ParseError } from './parsed.js';
import type { Cue } from './rolling-captions.js';

/** SubRip captions. Blank lines inside a cue and missing numbers are forgiven; a time that is no time is not. */
export function parseSrt(text: string): ParsedSegment[] {
  const cues = readCues(text.split('\n'), 1, 'numbered');
  if (cues.length === 0 && text.trim() !== '') {
    throw new ParseError('no cues were found: an .srt file has lines such as 00:00:01,000 --> 00:00:04,000');
  }
  return cuesToSegments(cues);
}

/** Cues of SubRip and WebVTT lines: a cue is its time line and what follows until the next one. */
export function readCues(lines: string[], firstLine: number, identifiers: 'numbered' | 'free'): Cue[] {
  const cues: (Cue & { lines: string[] })[] = [];
  for (const [at, line] of lines.entries()) {
    if (isTimeLine(line)) {
      dropIdentifier(cues.at(-1)?.lines, identifiers);
      cues.push({ ...parseTimeLine(line, firstLine + at), text: '', lines: [] });
    } else {
      cues.at(-1)?.lines.push(line.trim());
    }
  }
  return cues.map(({ lines: own, ...cue }) => ({ ...cue, text: own.join('\n').trim() }));
}

/** The line before a time line names that cue: a number, or in WebVTT any line after a blank one. */
function dropIdentifier(lines: string[] | undefined, identifiers: 'numbered' | 'free'): void {
  const last = lines?.at(-1);
  if (!lines || last === undefined || last === '') return;
  const afterBlank = lines.length >= 2 ? lines.at(-2) === '' : false;
  if (/^\d+$/.test(last) ? afterBlank || lines.length === 1 : identifiers === 'free' && afterBlank) lines.pop();
}
