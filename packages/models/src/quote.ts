import type { ModelPassage } from './chat-model.js';
import { splitSentences } from './sentences.js';
import { contentStems, makeStemWeights } from './words.js';

export interface Quote {
  passageIndex: number;
  /** Letter for letter as in the passage. */
  quote: string;
  /** Share, by weight, of the sentence's meaning words that the quote holds: 0 to 1. */
  support: number;
  /** How many of them that is. */
  sharedWords: number;
}

export interface QuoteFinder {
  /**
   * The sentence of that passage that best supports what was said; null when there is no such passage or it is empty. Where the passage shares
   * no word with what was said and another clearly supports it, the model took the wrong number: then that one's sentence.
   */
  forMark(passageIndex: number, said: string): Quote | null;
  /** The sentence of all passages that best supports what was said. */
  anywhere(said: string): Quote | null;
}

/** A sentence speaks from a quote that holds this much of its meaning words, */
const clearSupport = 0.6;
/** and so many of them: one word alone is anybody's. */
const clearWords = 3;

/** Whether what was said clearly comes from the quote. */
export function isClear({ support, sharedWords }: Quote): boolean {
  return support >= clearSupport && sharedWords >= clearWords;
}

interface Candidate {
  passageIndex: number;
  text: string;
  stems: ReadonlySet<string>;
}

/** Finds verbatim quotes in the passages by weighted word overlap. `question` decides between equals. */
export function makeQuoteFinder(passages: readonly ModelPassage[], question: string): QuoteFinder {
  const candidates: Candidate[] = passages.flatMap((passage, passageIndex) =>
    splitSentences(passage.text).map(({ text }) => ({ passageIndex, text, stems: new Set(contentStems(text)) })),
  );
  const weightOf = makeStemWeights(candidates.map(({ stems }) => [...stems]));
  const asked = new Set(contentStems(question));

  function overlap(wanted: ReadonlySet<string>, stems: ReadonlySet<string>): number {
    let shared = 0;
    let all = 0;
    for (const each of wanted) {
      const weight = weightOf(each);
      all += weight;
      if (stems.has(each)) shared += weight;
    }
    return all === 0 ? 0 : shared / all;
  }

  function best(among: readonly Candidate[], said: string): Quote | null {
    const wanted = new Set(contentStems(said));
    let found: { candidate: Candidate; support: number } | null = null;
    let foundScore = -1;
    for (const candidate of among) {
      const support = overlap(wanted, candidate.stems);
      const brevity = candidate.stems.size < 3 ? -0.05 : 0;
      const score = support + 0.1 * overlap(asked, candidate.stems) + brevity;
      if (score > foundScore) {
        foundScore = score;
        found = { candidate, support };
      }
    }
    if (!found) return null;
    const { passageIndex, text, stems } = found.candidate;
    const sharedWords = [...wanted].filter((each) => stems.has(each)).length;
    return { passageIndex, quote: text, support: found.support, sharedWords };
  }

  return {
    forMark(passageIndex, said) {
      const named = best(
        candidates.filter((candidate) => candidate.passageIndex === passageIndex),
        said,
      );
      if (!named || named.support > 0) return named;
      const other = best(candidates, said);
      return other && isClear(other) ? other : named;
    },
    anywhere: (said) => best(candidates, said),
  };
}
