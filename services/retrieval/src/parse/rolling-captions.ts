/** One caption on the screen. */
export interface Cue {
  start: number;
  end: number;
  speaker?: string;
  text: string;
}

/** Most words a caption repeats from the one before. */
const longestRepeat = 80;
/** From this share of repeating neighbours on a file counts as rolling; below, "Yeah." after "Yeah." is two people. */
const rollingShare = 0.3;

/**
 * YouTube's automatic captions roll: each cue shows the line before again, and a cue of 10 ms repeats the new one. In such files every
 * word is kept once, at the cue where it first stood. Other files stay as they are.
 */
export function dropRollingRepeats(cues: Cue[]): Cue[] {
  if (cues.length < 3) return cues;
  const words = cues.map((cue) => cue.text.split(' '));
  const repeats = words.map((own, at) =>
    at === 0 ? 0 : repeatedWords(words[at - 1] ?? [], own, cues[at - 1], cues[at]),
  );
  const repeating = repeats.filter((count) => count > 0).length;
  if (repeating < rollingShare * (cues.length - 1)) return cues;
  return cues.flatMap((cue, at) => {
    const text = words[at]?.slice(repeats[at]).join(' ') ?? '';
    return text === '' ? [] : [{ ...cue, text }];
  });
}

/** How many words at the beginning of `own` are the last words of `before`, which was still on the screen. */
function repeatedWords(before: string[], own: string[], previous: Cue | undefined, cue: Cue | undefined): number {
  if (!previous || !cue || cue.start > previous.end + 0.5) return 0;
  for (let length = Math.min(before.length, own.length, longestRepeat); length > 0; length--) {
    const offset = before.length - length;
    let same = true;
    for (let at = 0; at < length && same; at++) same = before[offset + at] === own[at];
    if (same) return length;
  }
  return 0;
}
