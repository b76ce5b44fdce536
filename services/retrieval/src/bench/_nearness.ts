import type { ShowQuestion } from '../testing/shows.js';
import type { Search } from './_searches.js';

/** The best likeness (cosine) among the first five passages, over the questions of a group. */
export interface Nearness {
  questionsOf: string;
  questions: number;
  p10: number;
  p50: number;
  p90: number;
}

/** A question none of whose first five passages is of an expected episode. */
export interface Miss {
  show: string;
  language: string;
  question: string;
  expected: string[];
  found: string[];
}

/** What the best likeness says of questions that have an answer, have none, and are not in English; and which questions miss. */
export async function measureNearness(
  questions: readonly ShowQuestion[],
  search: Search,
): Promise<{ nearness: Nearness[]; misses: Miss[] }> {
  const groups = new Map<string, number[]>();
  const misses: Miss[] = [];
  for (const question of questions) {
    const found = (await search(question)).slice(0, 5);
    const best = Math.max(...found.map(({ similarity }) => similarity ?? 0), 0);
    const isFound = found.some(({ file }) => question.expected.includes(file));
    const group = groupOf(question, isFound);
    groups.set(group, [...(groups.get(group) ?? []), best]);
    if (question.expected.length > 0 && !isFound) {
      const { show, language, expected } = question;
      misses.push({ show, language, question: question.question, expected, found: found.map(({ file }) => file) });
    }
  }
  const nearness = [...groups].map(([questionsOf, values]) => ({
    questionsOf,
    questions: values.length,
    ...spread(values),
  }));
  return { nearness: nearness.toSorted((a, b) => b.p50 - a.p50), misses };
}

function groupOf({ expected, language }: ShowQuestion, isFound: boolean): string {
  const tongue = language === 'en' ? 'English' : 'other languages';
  if (expected.length === 0) return `${tongue}, no answer`;
  return isFound ? `${tongue}, found` : `${tongue}, missed`;
}

function spread(values: number[]): Pick<Nearness, 'p10' | 'p50' | 'p90'> {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => Math.round(100 * (sorted[Math.floor(share * (sorted.length - 1))] ?? 0)) / 100;
  return { p10: at(0.1), p50: at(0.5), p90: at(0.9) };
}
