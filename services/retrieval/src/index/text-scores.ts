import type { WordStats } from '@sidestage/store';
import type { Shard } from './shard.js';

/** BM25 with the usual constants (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009). */
const k1 = 1.2;
const b = 0.75;

/** How much a word tells that `holders` of so many passages hold. */
function weightOf(passages: number, holders: number): number {
  return Math.log(1 + (passages - holders + 0.5) / (holders + 0.5));
}

/** `length`: of the passage, in mean lengths. */
function termScore(weight: number, count: number, length: number): number {
  return (weight * count * (k1 + 1)) / (count + k1 * (1 - b + b * length));
}

/** BM25 over all shards, divided by what a passage full of the question's words would have: 0 to 1. One array a shard. */
export function textScores(shards: readonly Shard[], lexemes: readonly string[]): Float32Array[] {
  const scores = shards.map((shard) => new Float32Array(shard.passageIds.length));
  const passages = shards.reduce((sum, shard) => sum + shard.passageIds.length, 0);
  const words = shards.reduce((sum, shard) => sum + shard.lengths.reduce((all, length) => all + length, 0), 0);
  if (passages === 0 || words === 0) return scores;
  const meanLength = words / passages;
  let most = 0;
  for (const lexeme of new Set(lexemes)) {
    const holders = shards.reduce((sum, shard) => sum + (shard.postings.get(lexeme)?.length ?? 0) / 2, 0);
    const weight = weightOf(passages, holders);
    most += weight * (k1 + 1);
    if (holders > 0) addLexeme(shards, scores, lexeme, weight, meanLength);
  }
  for (const list of scores) for (let at = 0; at < list.length; at++) list[at] = (list[at] ?? 0) / most;
  return scores;
}

function addLexeme(
  shards: readonly Shard[],
  scores: Float32Array[],
  lexeme: string,
  weight: number,
  meanLength: number,
): void {
  for (const [at, shard] of shards.entries()) {
    const list = shard.postings.get(lexeme);
    const own = scores[at];
    if (!list || !own) continue;
    for (let entry = 0; entry < list.length; entry += 2) {
      const passage = list[entry] ?? 0;
      const length = (shard.lengths[passage] ?? 0) / meanLength;
      own[passage] = (own[passage] ?? 0) + termScore(weight, list[entry + 1] ?? 0, length);
    }
  }
}

/** The same of one passage, whose words with their counts are given. Without `stats` every word of the question weighs the same. */
export function textScore(
  words: ReadonlyMap<string, number>,
  lexemes: readonly string[],
  stats: WordStats | null,
): number {
  let length = 0;
  for (const count of words.values()) length += count;
  const relative = stats && stats.words > 0 ? (length * stats.passages) / stats.words : 1;
  let score = 0;
  let most = 0;
  for (const lexeme of new Set(lexemes)) {
    const weight = stats ? weightOf(stats.passages, stats.holders.get(lexeme) ?? 0) : 1;
    most += weight * (k1 + 1);
    const count = words.get(lexeme);
    if (count !== undefined) score += termScore(weight, count, relative);
  }
  return most === 0 ? 0 : score / most;
}
