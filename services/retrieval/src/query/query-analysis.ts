/** How far the words of a question are to be trusted beside its meaning. */
export interface QueryAnalysis {
  /** What stands in quotation marks, as it stands there. */
  phrases: string[];
  /** Weight of the full-text score (0 to 1) beside the cosine. */
  textWeight: number;
  /** The source the fan is watching, and what its passages have over others. */
  watched?: { source_id: string; bonus: number };
}

/**
 * A fan half remembers and paraphrases: words common to question and passage are a light hint (0.2, where `npm run bench -- retrieval`
 * is best; from 0.3 on the first passage suffers). Someone who quotes, names or numbers means the very word.
 */
const weights = { paraphrase: 0.2, named: 0.225, keywords: 0.3, quoted: 0.5 } as const;
const quotedPattern = /"([^"]{3,200})"|“([^”]{3,200})”|«([^»]{3,200})»|„([^“”]{3,200})[“”]/g;

/** As much as the best passage of a show has over its fiftieth: what is watched comes first where it speaks of it at all. */
const watchedBonus = 0.12;
/** "What does he mean by that?" asks about what is on the screen. */
const pointingBonus = 0.5;
const fewLexemes = 2;
const pointing = /\b(?:this|that|these|those|here|now|it|he|she|they)\b/i;

/** `lexemes`: the question's stems without stop words; `watching`: the source the fan is watching. */
export function analyseQuery(question: string, lexemes: readonly string[], watching?: string): QueryAnalysis {
  const words = analyseWords(question, lexemes);
  if (watching === undefined) return words;
  const points = lexemes.length <= fewLexemes && pointing.test(question);
  return { ...words, watched: { source_id: watching, bonus: points ? pointingBonus : watchedBonus } };
}

function analyseWords(question: string, lexemes: readonly string[]): QueryAnalysis {
  const phrases = [...question.matchAll(quotedPattern)].map((match) =>
    (match[1] ?? match[2] ?? match[3] ?? match[4] ?? '').trim(),
  );
  if (phrases.length > 0) return { phrases, textWeight: weights.quoted };
  if (lexemes.length > 0 && lexemes.length <= 3 && question.trim().split(/\s+/).length <= 4)
    return { phrases, textWeight: weights.keywords };
  return { phrases, textWeight: namesSomething(question) ? weights.named : weights.paraphrase };
}

/** A number, a code such as `GPT-4`, or a capital letter inside the sentence (not in a question shouted in capitals). */
function namesSomething(question: string): boolean {
  if (/\d/.test(question)) return true;
  const words = question.trim().split(/\s+/).slice(1);
  const capital = words.filter((word) => /^\p{Lu}[\p{L}'’-]+/u.test(word) && !/^I['’]/.test(word));
  return capital.length > 0 && capital.length <= words.length / 2;
}
