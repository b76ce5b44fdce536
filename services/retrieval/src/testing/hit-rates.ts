import { nextMark, type Show, type ShowQuestion } from './shows.js';

/** What a search gave, as far as its quality goes. */
export interface FoundPlace {
  /** The episode's file. */
  file: string;
  start_seconds: number | null;
  end_seconds: number | null;
  /** Cosine of question and passage, where the search says it. */
  similarity?: number | null;
}

/** Shares of questions, in per cent. */
export interface HitRates {
  questions: number;
  /** The first passage is of an expected episode. */
  top1: number;
  /** One of the first five is. */
  top5: number;
  /** One of the first five is of an expected episode and was said between the two marks around the answer. */
  rightSecond: number;
  /** Questions whose mark is known. */
  marked: number;
}

/** Runs the questions through `search` and counts. `search` gives at least five passages where there are as many, best first. */
export async function measureHits(
  shows: readonly Show[],
  questions: readonly ShowQuestion[],
  search: (question: ShowQuestion) => Promise<FoundPlace[]>,
): Promise<HitRates> {
  const counts = { top1: 0, top5: 0, rightSecond: 0, marked: 0 };
  for (const question of questions) {
    const found = (await search(question)).slice(0, 5);
    const isHit = ({ file }: FoundPlace) => question.expected.includes(file);
    if (found[0] && isHit(found[0])) counts.top1 += 1;
    if (found.some(isHit)) counts.top5 += 1;
    if (question.markSeconds === null) continue;
    counts.marked += 1;
    if (found.some((place) => isHit(place) && isAtMark(shows, question, place))) counts.rightSecond += 1;
  }
  const share = (count: number, of: number) => (of === 0 ? 0 : Math.round((1000 * count) / of) / 10);
  return {
    questions: questions.length,
    top1: share(counts.top1, questions.length),
    top5: share(counts.top5, questions.length),
    rightSecond: share(counts.rightSecond, counts.marked),
    marked: counts.marked,
  };
}

function isAtMark(shows: readonly Show[], question: ShowQuestion, place: FoundPlace): boolean {
  const { markSeconds } = question;
  const episode = shows.find(({ name }) => name === question.show)?.episodes.find(({ file }) => file === place.file);
  if (!episode || markSeconds === null || place.start_seconds === null) return false;
  const until = nextMark(episode.content, markSeconds);
  return place.start_seconds < until && (place.end_seconds ?? place.start_seconds) > markSeconds;
}
