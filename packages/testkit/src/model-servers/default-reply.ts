/** Passages as the prompt numbers them: `[1] "Title", from 0:12` and the text on the next line. */
const passage = /^\[(\d+)\] "[^\n]*\n([^\n]+)$/gm;

/**
 * The reply a server gives when it is told nothing else: the first sentence of each of the first two passages of the last user turn, each
 * with its mark. The same prompt gives the same reply.
 */
export function defaultReply(turns: readonly string[]): string {
  const last = turns.at(-1) ?? '';
  const asked = (last.split("The fan's message:\n").at(-1) ?? last).trim().split('\n')[0] ?? '';
  const found = [...last.matchAll(passage)].slice(0, 2);
  if (found.length === 0) return `You asked "${asked.slice(0, 200)}" and I have not covered that yet.`;
  const sentences = found.map(([, number, text = '']) => `${firstSentence(text)} [${number}].`);
  return `You asked "${asked.slice(0, 200)}". ${sentences.join(' ')}`;
}

function firstSentence(text: string): string {
  const sentence = /^.{20,300}?[.!?](?=\s|$)/.exec(text)?.[0] ?? text.slice(0, 200);
  return sentence.replace(/[.!?]+$/, '').trim();
}

/** About four characters a token. */
export function countTokens(text: string): number {
  return Math.ceil(text.length / 4);
}

/** Words with the white space after them. */
export function splitWords(text: string, wordsPerChunk: number): string[] {
  const words = text.match(/\s*\S+\s*/g) ?? [];
  const chunks: string[] = [];
  for (let at = 0; at < words.length; at += wordsPerChunk) chunks.push(words.slice(at, at + wordsPerChunk).join(''));
  return chunks;
}
