import type { HistoryLine } from '../chat-model.js';
import { contentStems, wordsOf } from '../words.js';
import { smallTalkOf } from './small-talk.js';

const pointers = new Set(
  `it that this those these they them their its he she his her him there one ones same such also else more another both former latter previous`.split(
    ' ',
  ),
);
const connector =
  /^(and|but|so|or|then|also|what about|how about|why|how come|what if|what else|anything else|which one)\b/;
/** "Is it hard to learn piano": this "it" points at nothing said before. */
const emptyIt = /\b(is|was|isn't|would|can) (it|there) (\w+ )?(\w+) (to|that|for|if)\b/;

/** How many fan lines back a subject is looked for. */
const farthest = 6;
const longestSubject = 600;

/** Whether a message says what it is about only together with what came before: "tell me more about that", "why?", "and for beginners?". */
export function isFollowUp(message: string): boolean {
  const stems = contentStems(message);
  if (stems.length === 0) return true;
  const said = wordsOf(message);
  const phrase = said.join(' ');
  if (connector.test(phrase)) return stems.length <= 3;
  return stems.length <= 2 && said.length <= 12 && said.some((word) => pointers.has(word)) && !emptyIt.test(phrase);
}

/**
 * What the conversation is about, in the fan's own words: the last question that stands by itself and the follow-ups after it, oldest first;
 * empty when there is none.
 */
export function subjectOf(history: readonly HistoryLine[]): string {
  const lines = history.filter(({ role }) => role === 'fan').slice(-farthest);
  const subject: string[] = [];
  for (const { text } of lines.reverse()) {
    if (smallTalkOf(text, '') !== null) continue;
    const dependent = isFollowUp(text);
    if (!dependent || contentStems(text).length > 0) subject.unshift(text.trim());
    if (!dependent) break;
  }
  return subject.join(' ').slice(-longestSubject);
}

/**
 * The words to search the material with. A message that stands by itself is its own query; a vague follow-up gets the subject of the fan's
 * previous question, and a message with no words of its own is replaced by it.
 */
export function makeRetrievalQuery(history: readonly HistoryLine[], message: string): string {
  const own = message.trim();
  if (smallTalkOf(own, '') !== null || !isFollowUp(own)) return own;
  const subject = subjectOf(history);
  if (subject === '') return own;
  return contentStems(own).length === 0 ? subject : `${subject} ${own}`;
}
