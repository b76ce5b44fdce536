import type { ParsedSegment } from './parsed.js';
import { type MarkedParagraph, readMarks } from './time-marks.js';

const loneTime = /^\s*[[(]?((?:\d{1,2}:)?\d{1,3}:[0-5]\d)[\])]?\s*$/;

/**
 * Plain text: paragraphs between blank lines; where lines are long each line is one. Times in brackets, and (as in a transcript
 * copied from YouTube's page) times on lines of their own, are time marks.
 */
export function parsePlainText(text: string): ParsedSegment[] {
  const lines = text.split('\n');
  const times = lines.filter((line) => loneTime.test(line)).length;
  const marked = times >= 3 ? lines.map((line) => line.replace(loneTime, '[$1]')) : lines;
  return readMarks(paragraphsOf(marked), (words) => words);
}

function paragraphsOf(lines: string[]): MarkedParagraph[] {
  const filled = lines.filter((line) => line.trim() !== '');
  const meanLength = filled.reduce((sum, line) => sum + line.length, 0) / Math.max(1, filled.length);
  if (meanLength > 100) return filled.map((text) => ({ text }));
  return lines
    .join('\n')
    .split(/\n\s*\n/)
    .map((text) => ({ text }));
}
