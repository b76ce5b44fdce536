/** How far the words of a question are to be trusted beside its meaning. */
export interface QueryAnalysis {
  /** What stands in quotation marks, as it stands there. */
  phrases: string[];
  /** Weight of the full-text score (0 to 1) beside the cosine. */
  textWeight: number;
}

/**
 * A fan half remembers and paraphrases: words common to question and passage are a light hint (0.2, where `npm run bench -- retrieval`
 * is best; from 0.3 on the first passage suffers). Someone who quotes, names or numbers means the very word.
 */
const weights = { paraphrase: 0.2, named: 0.225, keywords: 0.3, quoted: 0.5 } as const;
const quotedPattern = /"([^"]{3,200})"|“([^”]{3,200})”|«([^»]{3,200})»|„([^“”]{3,200})[“”]/g;

/** `lexemes`: the question's stems without stop words. */
export function analyseQuery(question: string, lexemes: readonly string[]): QueryAnalysis {
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
