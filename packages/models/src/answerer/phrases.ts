import type { SmallTalk } from './small-talk.js';

/** The few words the built-in answerer says itself; all else is quoted. English, like its embeddings. */
export const smallTalkPhrases: Record<SmallTalk, (creator: string) => string> = {
  greeting: (creator) =>
    `Hi, good to see you! I am ${creator}'s AI. Ask me about anything from my videos, podcasts and writing, and I will show you where I said it.`,
  thanks: () => 'You are welcome! Ask me whenever you want to know more.',
  goodbye: () => 'Goodbye, and thanks for stopping by. Come back whenever you have another question.',
  identity: (creator) =>
    `I am an AI that speaks from ${creator}'s own videos, podcasts and writing. I quote what was said there and show you the place; what is not in there, I do not make up. Ask me about a topic.`,
};

export const noAnswer =
  'I looked through my material and did not find an answer to that. I only speak from what I have published, so I would rather not guess. You could put it in other words, or ask about something I have covered.';

export const cannotLook =
  'I cannot look through my material at the moment, so I would rather not answer from memory. Please ask me again in a minute.';

export const nothingMore =
  'That is all I can find on this in my material. Ask me about another side of it, or about something else.';

/** To a message that names nothing to look for; `titles` are of the creator's own, in quotation marks, perhaps none. */
export const unclear = (titles: readonly string[]): string =>
  `I am not sure what you would like to know. Name a topic and I will show you what I said about it${titles.length === 0 ? '.' : `, for example from ${titles.join(' or ')}.`}`;

export type Opening = 'answers' | 'near' | 'more';

/** The words before the first quotation; `title` in quotation marks already. */
export const openings: Record<Opening, (title: string) => string> = {
  answers: (title) => `Here is what I said about this in ${title}, quoted: `,
  near: (title) => `I am not sure I have answered exactly that. The closest I find, quoted from ${title}: `,
  more: (title) => `There is more on this in ${title}, quoted: `,
};

export const secondOpening = (title: string, sameSource: boolean): string =>
  sameSource ? 'And elsewhere in the same place: ' : `I also spoke about it in ${title}: `;
