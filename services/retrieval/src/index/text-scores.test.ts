import { expect, test } from '@jest/globals';
import { makeShard } from './shard.js';
import { textScore, textScores } from './text-scores.js';

const texts = ['bread rye bread water', 'guitar string', 'rye field river river river', 'water'];
const countsOf = (text: string) => {
  const counts = new Map<string, number>();
  for (const word of text.split(' ')) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
};

test('one passage scores by its words as it does among all passages in memory', () => {
  const passages = texts.map((text, at) => ({
    id: String(at),
    lexemes: [...countsOf(text)].map(([lexeme, count]) => ({ lexeme, count })),
    whole: Float32Array.of(1),
    small: [],
  }));
  const holders = new Map<string, number>();
  for (const text of texts)
    for (const word of new Set(text.split(' '))) holders.set(word, (holders.get(word) ?? 0) + 1);
  const stats = { passages: texts.length, words: texts.join(' ').split(' ').length, holders };
  for (const question of [['rye', 'water'], ['bread'], ['river', 'nowhere'], []]) {
    const [together] = textScores([makeShard({ source_id: 's', passages })], question);
    for (const [at, text] of texts.entries())
      expect(textScore(countsOf(text), question, stats)).toBeCloseTo(
        question.length === 0 ? 0 : (together?.[at] ?? 9),
        5,
      );
  }
});

test('without counts each word of the question weighs the same', () => {
  expect(textScore(countsOf('bread water'), ['bread', 'rye'], null)).toBeCloseTo(
    textScore(countsOf('rye water'), ['bread', 'rye'], null),
  );
});
