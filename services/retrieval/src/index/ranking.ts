import type { QueryAnalysis } from '../query/query-analysis.js';

/** What is known of a passage when it is ranked. All cosines -1 to 1. */
export interface Candidate {
  passage_id: string;
  source_id: string;
  /** Of the passage. */
  similarity: number | null;
  /** Of the passage and its neighbours, the passage counting double. */
  context: number | null;
  /** Of its best small window. */
  small: number | null;
  /** Full text, 0 to 1: the share of the question's words it holds, by weight. */
  text: number;
}

export interface RankedPassage {
  passage_id: string;
  source_id: string;
  score: number;
  similarity: number | null;
}

/** What each further passage of a source must be better by, to come before another source's: five passages are not five of one video. */
const repeatPenalty = 0.08;

/** Meaning at two widths, the words, and what is watched. Mostly 0 to 1. */
export function scoreOf(candidate: Candidate, analysis: QueryAnalysis): number {
  const { context, small, text, source_id } = candidate;
  const bonus = analysis.watched?.source_id === source_id ? analysis.watched.bonus : 0;
  if (context === null || small === null) return text + bonus;
  return (context + small) / 2 + analysis.textWeight * text + bonus;
}

/** The best `limit` candidates; of near equals those of other sources first. Scores fall from first to last. */
export function rank(candidates: readonly Candidate[], analysis: QueryAnalysis, limit: number): RankedPassage[] {
  const waiting = candidates
    .map((candidate) => ({ candidate, score: scoreOf(candidate, analysis) }))
    .sort((a, b) => b.score - a.score || (a.candidate.passage_id < b.candidate.passage_id ? -1 : 1));
  const taken = new Map<string, number>();
  const ranked: RankedPassage[] = [];
  while (ranked.length < limit && waiting.length > 0) {
    const best = takeBest(waiting, taken, analysis);
    const { passage_id, source_id, similarity } = best.candidate;
    taken.set(source_id, (taken.get(source_id) ?? 0) + 1);
    const score = Math.min(best.adjusted, ranked.at(-1)?.score ?? 1);
    ranked.push({ passage_id, source_id, similarity, score: Math.round(clamp(score) * 10_000) / 10_000 });
  }
  return ranked;
}

interface Waiting {
  candidate: Candidate;
  score: number;
}

function takeBest(
  waiting: Waiting[],
  taken: ReadonlyMap<string, number>,
  { watched }: QueryAnalysis,
): Waiting & { adjusted: number } {
  let bestAt = 0;
  let bestScore = Number.NEGATIVE_INFINITY;
  for (const [at, { candidate, score }] of waiting.entries()) {
    // Sorted by score: what follows cannot win even without a penalty.
    if (score <= bestScore) break;
    // Of what is watched the fan wants more than one.
    const repeats = candidate.source_id === watched?.source_id ? 0 : (taken.get(candidate.source_id) ?? 0);
    const adjusted = score - repeatPenalty * repeats;
    if (adjusted > bestScore) {
      bestScore = adjusted;
      bestAt = at;
    }
  }
  const [best] = waiting.splice(bestAt, 1);
  if (!best) throw new Error('nothing to take');
  return { ...best, adjusted: bestScore };
}

function clamp(value: number): number {
  return Math.min(1, Math.max(0, value));
}
