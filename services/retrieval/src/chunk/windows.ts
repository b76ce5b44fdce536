import { splitSentences } from '@sidestage/models';

/** What is embedded of a passage. */
export interface PassageWindow {
  /** Index of the passage in its source. */
  passage: number;
  part: number;
  text: string;
}

/** Part 0 is the passage itself; parts from 1 on are its sentences in small windows, which find what a whole passage blurs. */
export const wholePart = 0;
/** Characters of a small window. Measured: 250 beside 500 and 900; the widest is had for nothing from the neighbours' vectors. */
const smallLength = 260;

/** The windows of the passages of one source, in the order of its text. A passage that is one small window has no more parts. */
export function windowsOf(texts: readonly string[]): PassageWindow[] {
  return texts.flatMap((text, passage) => [
    { passage, part: wholePart, text },
    ...smallWindows(text).map((window, at) => ({ passage, part: wholePart + 1 + at, text: window })),
  ]);
}

function smallWindows(text: string): string[] {
  const windows: { from: number; to: number }[] = [];
  for (const { start, text: sentence } of splitSentences(text)) {
    const to = start + sentence.length;
    const open = windows.at(-1);
    if (open && open.to - open.from < smallLength && to - open.from <= smallLength * 1.3) open.to = to;
    else windows.push({ from: start, to });
  }
  const last = windows.at(-1);
  const before = windows.at(-2);
  if (last && before && last.to - last.from < smallLength / 3) {
    before.to = last.to;
    windows.pop();
  }
  return windows.length > 1 ? windows.map(({ from, to }) => text.slice(from, to)) : [];
}
