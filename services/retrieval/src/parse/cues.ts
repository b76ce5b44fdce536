import { decodeEntities } from './entities.js';
import { type ParsedSegment, ParseError, tidy } from './parsed.js';
import { type Cue, dropRollingRepeats } from './rolling-captions.js';

/** A line with an arrow whose left side begins as a time; in any other line an arrow is something said. */
export function isTimeLine(line: string): boolean {
  return /^\s*-?\d+\s*:[^>]*-->/.test(line);
}

const timePattern = /^(?:(\d{1,4}):)?(\d{1,3}):(\d{1,2})(?:[.,](\d{1,3})\d*)?$/;

/** `01:02:03,450`, `02:03.450` or `2:03` in seconds; null when it is not a time. */
export function parseCueTime(text: string): number | null {
  const match = timePattern.exec(text);
  if (!match) return null;
  const [, hours = '0', minutes = '0', seconds = '0', fraction = ''] = match;
  if (Number(seconds) > 59 || (match[1] !== undefined && Number(minutes) > 59)) return null;
  return Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds) + Number(fraction.padEnd(3, '0')) / 1000;
}

/** The two times of a cue's time line, whatever settings follow them. Throws ParseError with the line's number. */
export function parseTimeLine(line: string, lineNumber: number): { start: number; end: number } {
  const [before = '', after = ''] = line.split('-->', 2);
  const startText = joinTime(before);
  const endText = joinTime(after).split(/\s+/)[0] ?? '';
  const start = timeOrThrow(startText, lineNumber);
  return { start, end: Math.max(start, timeOrThrow(endText, lineNumber)) };
}

/** Some programs write `00:00:01, 500`; one that shifted a file may write a time before its beginning. */
function joinTime(text: string): string {
  return text
    .trim()
    .replace(/(\d)\s*([:.,])\s*(?=\d)/g, '$1$2')
    .replace(/^-[\d:.,]+/, '00:00');
}

function timeOrThrow(text: string, lineNumber: number): number {
  const seconds = parseCueTime(text);
  if (seconds === null) throw new ParseError(`line ${lineNumber}: the cue time "${text.slice(0, 40)}" is not a time`);
  return seconds;
}

/** Caption text without tags, styling and entities. */
export function plainCaption(text: string): string {
  return tidy(
    decodeEntities(
      text.replace(/\{(?:\\[^}]{0,80}|\/?[biusBIUS])\}/g, '').replace(/<\/?[A-Za-z0-9][^<>]{0,300}>/g, ''),
    ),
  );
}

/** Cues in the order of time, rolling repeats dropped, as segments. A pause of more than two seconds opens a block. */
export function cuesToSegments(cues: Cue[]): ParsedSegment[] {
  const ordered = cues
    .map((cue) => ({ ...cue, text: plainCaption(cue.text) }))
    .filter((cue) => cue.text !== '')
    .sort((a, b) => a.start - b.start);
  let previous: Cue | undefined;
  return dropRollingRepeats(ordered).map((cue) => {
    const opensBlock = !previous || cue.speaker !== previous.speaker || cue.start - previous.end > 2;
    previous = cue;
    return { start: cue.start, end: cue.end, ...(cue.speaker && { speaker: cue.speaker }), text: cue.text, opensBlock };
  });
}
