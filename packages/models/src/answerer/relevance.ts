import type { ModelPassage } from '../chat-model.js';
import { contentStems, stem, wordsOf } from '../words.js';

/**
 * How well the passages meet a question:
 * - `answers`: quote them
 * - `near`: quote the closest and say that it may not be the answer
 * - `none`: say that the material has no answer
 */
export type Relevance = 'answers' | 'near' | 'none';

/** Below this cosine of the built-in embeddings a passage is about something else, whatever words it shares. */
const unrelatedSimilarity = 0.3;
/** Where not one meaning word of the question is in the passages, only a likeness above this counts. */
const wordlessSimilarity = 0.45;
const clearSimilarity = 0.46;
/** Share of the question's meaning words in one passage. */
const clearCoverage = 0.5;
const someCoverage = 0.25;
/** Share of the question's names that none of the passages knows. */
const strangeNames = 0.6;

/**
 * Judges by likeness (the passages' `similarity`) and shared words. `question` is the message with the subject it follows up on.
 *
 * The thresholds are measured on transcripts of three podcasts, with questions that have an answer, that only sound as if, and that belong to
 * another world: figures in this package's README.
 */
export function judgeRelevance(question: string, passages: readonly ModelPassage[]): Relevance {
  if (passages.length === 0) return 'none';
  const asked = [...new Set(contentStems(question))];
  const known = passages.map((passage) => new Set(contentStems(`${passage.title} ${passage.text}`)));
  const inAny = asked.filter((each) => known.some((stems) => stems.has(each)));
  const coverage = Math.max(
    ...known.map((stems) => share(asked.filter((each) => stems.has(each)).length, asked.length)),
  );
  const similarity = bestSimilarity(passages);
  if (namesAreStrange(question, known) && share(inAny.length, asked.length) < 0.6) return 'none';
  if (similarity === null) return coverage >= clearCoverage ? 'answers' : coverage >= someCoverage ? 'near' : 'none';
  if (similarity < unrelatedSimilarity) return 'none';
  if (inAny.length === 0 && similarity < wordlessSimilarity) return 'none';
  return similarity >= clearSimilarity || coverage >= clearCoverage ? 'answers' : 'near';
}

function bestSimilarity(passages: readonly ModelPassage[]): number | null {
  const known = passages.flatMap(({ similarity }) => (typeof similarity === 'number' ? [similarity] : []));
  return known.length === 0 ? null : Math.max(...known);
}

/** Who and what is asked for by name is nowhere in the passages: "Andrew Huberman", "LightGBM". */
function namesAreStrange(question: string, known: readonly ReadonlySet<string>[]): boolean {
  const names = namesIn(question);
  if (names.length === 0) return false;
  const strange = names.filter((name) => !known.some((stems) => stems.has(name)));
  return share(strange.length, names.length) >= strangeNames;
}

/** Stems of words with a capital or a digit that do not begin a sentence. A message shouted in capitals has no names to go by. */
function namesIn(question: string): string[] {
  if (question === question.toUpperCase()) return [];
  const inside = question.matchAll(/(?<![.!?…]\s+|^\s*|^\s*["“'])(?<![\p{L}\p{N}])[\p{L}\p{N}][\p{L}\p{N}'’-]*/gu);
  const marked = [...inside].map(([word]) => word).filter((word) => /\p{Lu}/u.test(word) && !/^I(?:['’]|$)/.test(word));
  return [...new Set(marked.flatMap((word) => wordsOf(word)).map(stem))].filter(
    (each) => contentStems(each).length > 0,
  );
}

function share(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
