import { splitSentences } from '@sidestage/models';

/** What is embedded of a passage. Several lengths are scored together: EMBEDDINGS.md's measurement, repeated by `npm run bench -- retrieval`. */
export interface PassageWindow {
  /** Index of the passage in its source. */
  passage: number;
  part: number;
  text: string;
}

/** Part 0 is the passage itself, part 1 the passage with what stands around it, parts from 2 on its sentences in small windows. */
export const parts = { whole: 0, context: 1, firstSmall: 2 } as const;
const contextLength = 1_050;
const smallLength = 260;

/** The windows of the passages of one source, in the order of its text. */
export function windowsOf(texts: readonly string[]): PassageWindow[] {
  return texts.flatMap((text, passage) => [
    { passage, part: parts.whole, text },
    { passage, part: parts.context, text: withContext(texts, passage) },
    ...smallWindows(text).map((window, at) => ({ passage, part: parts.firstSmall + at, text: window })),
  ]);
}

function withContext(texts: readonly string[], at: number): string {
  const own = texts[at] ?? '';
  const room = Math.max(0, contextLength - own.length) / 2;
  const before = (texts[at - 1] ?? '').slice(-Math.ceil(room));
  const after = (texts[at + 1] ?? '').slice(0, Math.ceil(room));
  return [before.slice(before.search(/\s/) + 1), own, after.slice(0, Math.max(0, after.lastIndexOf(' ')))]
    .filter((part) => part !== '')
    .join('\n');
}

function smallWindows(text: string): string[] {
  const sentences = splitSentences(text);
  const windows: string[] = [];
  let open: { from: number; to: number } | null = null;
  for (const { start, text: sentence } of sentences) {
    const to = start + sentence.length;
    if (open && to - open.from <= smallLength * 1.3 && open.to - open.from < smallLength) open.to = to;
    else {
      if (open) windows.push(text.slice(open.from, open.to));
      open = { from: start, to };
    }
  }
  if (open) windows.push(text.slice(open.from, open.to));
  const last = windows.at(-1);
  if (windows.length > 1 && last !== undefined && last.length < smallLength / 3) {
    windows.pop();
    windows.push(`${windows.pop() ?? ''} ${last}`);
  }
  return windows.length > 1 ? windows : [];
}
