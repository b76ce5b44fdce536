import type { ModelPassage } from '../chat-model.js';
import { type Span, splitSentences } from '../sentences.js';
import { contentStems, makeStemWeights, wordsOf } from '../words.js';

/** Sentences that stand together in one passage. */
export interface Block {
  passageIndex: number;
  /** Each letter for letter as in the passage, in its order. */
  quotes: string[];
}

interface Candidate extends Span {
  passageIndex: number;
  stems: string[];
  score: number;
  /** Share, by weight, of the question's meaning words in it. */
  coverage: number;
}

const firstBlock = { sentences: 3, characters: 560 };
const laterBlock = { sentences: 2, characters: 360 };
/** A second block must come this close to the first one's score and share a word with the question. */
const secondBlockShare = 0.8;

const filler = /^(?:(?:so|yeah|yes|yep|um+|uh+|er+|well|okay|ok|right|you know|i mean|like|oh|ah|hmm+)\b[\s,.…–—-]*)+/i;
const noise =
  /^(?:\[[^\]]{1,30}\]|\([^)]{1,30}\))\s*|\s*\[(?:laughs?|laughter|unintelligible|crosstalk|music)[^\]]*\]$/gi;
const leaning = /^(?:and|but|that|that's|this|it|it's|they|he|she|these|those|because|which|or|then|there)\b/i;
const housekeeping =
  /\b(?:subscrib|sponsor|welcome (?:back )?to|thanks for (?:listening|watching|joining)|show notes|patreon|promo code|link in the)\b/i;

/**
 * The sentences that answer, as at most `mostBlocks` blocks of two to three neighbours: a sentence alone out of a talk is hard to follow. Nothing that
 * was `alreadySaid` comes again. Deterministic; empty when nothing is left to say.
 */
export function selectBlocks(
  question: string,
  passages: readonly ModelPassage[],
  alreadySaid: string,
  mostBlocks: number,
): Block[] {
  const said = letters(alreadySaid);
  const perPassage = scoreSentences(question, passages).map((sentences, passageIndex) => {
    const title = letters(passages[passageIndex]?.title ?? '');
    return sentences.map((sentence) => {
      const words = letters(cleanQuote(sentence.text));
      // An article's own title is no sentence of it, however many words of the question it has.
      return { ...sentence, used: words === title || (said !== '' && said.includes(words)) };
    });
  });
  const blocks: Block[] = [];
  let best = 0;
  const quoted = new Set<string>();
  while (blocks.length < mostBlocks) {
    const free = perPassage
      .flat()
      .filter((each) => !each.used && !blocks.some((block) => block.passageIndex === each.passageIndex));
    const anchor = free.reduce<(typeof free)[number] | null>(
      (top, each) => (top && top.score >= each.score ? top : each),
      null,
    );
    if (
      !anchor ||
      anchor.score <= 0 ||
      (blocks.length > 0 && (anchor.score < best * secondBlockShare || anchor.coverage === 0))
    )
      break;
    best = Math.max(best, anchor.score);
    const size = blocks.length === 0 ? firstBlock : laterBlock;
    const quotes = grow(perPassage[anchor.passageIndex] ?? [], anchor.start, size).filter(
      (quote) => !quoted.has(quote),
    );
    for (const quote of quotes) quoted.add(quote);
    if (quotes.length === 0) break;
    blocks.push({ passageIndex: anchor.passageIndex, quotes });
  }
  return blocks;
}

/** A sentence without the noises before and after it; still a verbatim part of the source. */
export function cleanQuote(text: string): string {
  const plain = text.replace(noise, '').trim();
  const bare = plain.replace(filler, '');
  return wordsOf(bare).length >= 5 ? bare : plain;
}

function scoreSentences(question: string, passages: readonly ModelPassage[]): Candidate[][] {
  const split = passages.map((passage) =>
    splitSentences(passage.text).map((span) => ({ ...span, stems: contentStems(span.text) })),
  );
  const weightOf = makeStemWeights(split.flat().map(({ stems }) => stems));
  const asked = [...new Set(contentStems(question))];
  const askedWeight = asked.reduce((sum, each) => sum + weightOf(each), 0) || 1;
  const coverage = (stems: readonly string[]) =>
    asked.reduce((sum, each) => sum + (stems.includes(each) ? weightOf(each) : 0), 0) / askedWeight;
  const likeness = likenessOf(passages);
  return split.map((sentences, passageIndex) =>
    sentences.map((sentence, at) => {
      const around = coverage(sentences[at - 1]?.stems ?? []) + coverage(sentences[at + 1]?.stems ?? []);
      const own = coverage(sentence.stems);
      const score = (likeness[passageIndex] ?? 0) + own + 0.25 * around + quality(sentence);
      return { ...sentence, passageIndex, score, coverage: own };
    }),
  );
}

/** 0.2 to 1, the best passage 1: similarity where every passage has one, else the score. */
function likenessOf(passages: readonly ModelPassage[]): number[] {
  const similar = passages.every(({ similarity }) => typeof similarity === 'number');
  const values = passages.map(({ similarity, score }) => Math.max(0, similar ? (similarity ?? 0) : score));
  const top = Math.max(...values, 1e-9);
  return values.map((value) => Math.max(0.2, value / top) ** 2);
}

function quality({ text, stems }: { text: string; stems: readonly string[] }): number {
  let value = Math.min(stems.length, 8) * 0.02;
  if (text.endsWith('?')) value -= 0.35;
  if (wordsOf(cleanQuote(text)).length < 6) value -= 0.35;
  if (leaning.test(text)) value -= 0.08;
  if (/(?:\.\.\.|…)$/.test(text)) value -= 0.05;
  if (housekeeping.test(text)) value -= 0.5;
  if (!/[.!?…。！？।"”’)]$/.test(text)) value -= 0.05;
  return value;
}

/** The anchor with the neighbours that make it understood: what it leans on before it, what goes on from it after. */
function grow(
  sentences: readonly (Candidate & { used: boolean })[],
  anchorStart: number,
  size: { sentences: number; characters: number },
): string[] {
  const anchor = sentences.findIndex((each) => each.start === anchorStart);
  let from = anchor;
  let to = anchor;
  let characters = sentences[anchor]?.text.length ?? 0;
  const fits = (at: number) => {
    const next = sentences[at];
    return next &&
      !next.used &&
      !housekeeping.test(next.text) &&
      to - from + 1 < size.sentences &&
      characters + next.text.length <= size.characters
      ? next
      : null;
  };
  const first = sentences[anchor];
  const before = first && leaning.test(first.text) ? fits(from - 1) : null;
  if (before && wordsOf(before.text).length >= 4) {
    from -= 1;
    characters += before.text.length;
  }
  for (let next = fits(to + 1); next; next = fits(to + 1)) {
    if (next.text.endsWith('?') || wordsOf(next.text).length < 4) break;
    to += 1;
    characters += next.text.length;
  }
  return sentences.slice(from, to + 1).map(({ text }) => cleanQuote(text));
}

function letters(text: string): string {
  return wordsOf(text).join(' ');
}
