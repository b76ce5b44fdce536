import type { Shard } from './shard.js';

/** BM25 with the usual constants (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009). */
const k1 = 1.2;
const b = 0.75;

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
    const weight = Math.log(1 + (passages - holders + 0.5) / (holders + 0.5));
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
      const count = list[entry + 1] ?? 0;
      const length = (shard.lengths[passage] ?? 0) / meanLength;
      own[passage] = (own[passage] ?? 0) + (weight * count * (k1 + 1)) / (count + k1 * (1 - b + b * length));
    }
  }
}
