/** Words of a shingle: two texts that share most of theirs are the same text. */
const shingleWords = 4;
/** Shares of the smaller text's shingles from which two texts are one (containment; Broder, "On the resemblance and containment of documents", 1997). */
const sameShare = 0.8;
/** Shorter texts are alike too easily. */
const fewestShingles = 12;

/** The text's shingles, without case, marks and white space. */
export function shinglesOf(text: string): ReadonlySet<string> {
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  const shingles = new Set<string>();
  for (let at = 0; at + shingleWords <= words.length; at++) shingles.add(words.slice(at, at + shingleWords).join(' '));
  return shingles;
}

/** Whether one says what the other says, but for a few words. */
export function isNearDuplicate(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  const [few, many] = a.size <= b.size ? [a, b] : [b, a];
  // Where one is much longer it says more.
  if (few.size < fewestShingles || few.size < many.size * sameShare) return false;
  let shared = 0;
  for (const shingle of few) if (many.has(shingle)) shared += 1;
  return shared >= few.size * sameShare;
}

/** The texts without those that say what one before them says; each with where it stood. Its time grows with the text, not with its square. */
export function withoutNearDuplicates<T extends { text: string }>(texts: readonly T[]): T[] {
  const kept: { value: T; shingles: ReadonlySet<string> }[] = [];
  const holders = new Map<string, number[]>();
  for (const value of texts) {
    const shingles = shinglesOf(value.text);
    if (mostShared(shingles, holders).some((at) => isNearDuplicate(shingles, kept[at]?.shingles ?? new Set())))
      continue;
    for (const shingle of shingles) {
      const list = holders.get(shingle);
      // What stands everywhere tells nothing.
      if (!list) holders.set(shingle, [kept.length]);
      else if (list.length < mostHolders) list.push(kept.length);
    }
    kept.push({ value, shingles });
  }
  return kept.map(({ value }) => value);
}

const mostHolders = 8;

/** Those that share most shingles with it, at most three. */
function mostShared(shingles: ReadonlySet<string>, holders: ReadonlyMap<string, number[]>): number[] {
  const counts = new Map<number, number>();
  for (const shingle of shingles)
    for (const at of holders.get(shingle) ?? []) counts.set(at, (counts.get(at) ?? 0) + 1);
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .slice(0, 3)
    .map(([at]) => at);
}
