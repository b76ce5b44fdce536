import { describe, expect, test } from '@jest/globals';
import { withoutChatSpeak } from './chat-speak.js';
import { withoutFraming } from './framing.js';

describe('a message typed in a hurry', () => {
  test.each([
    ['y do ppl do that lol', 'why do people do that'],
    ['can u use a bot 2 judge another bot', 'can you use a bot to judge another bot'],
    ['is GPT-4 better than 2.5 4 ur work', 'is GPT-4 better than 2.5 for your work'],
    ['how 2 live w/o sugar, idk', 'how to live without sugar,'],
  ])('%s', (typed, meant) => expect(withoutChatSpeak(typed)).toBe(meant));

  test.each([
    'can I roll back task 1 if task 2 fails?',
    '¿Por qué el pan y el vino?',
    'Was da los ist, weiß y niemand',
    'MonetDB and R: how did DuckDB get started?',
  ])('one that is not stays as it is: %s', (text) => expect(withoutChatSpeak(text)).toBe(text));
});

describe('how a question is put is taken off what it asks', () => {
  test.each([
    ['the one with songs and how staff are feeling', 'songs and how staff are feeling'],
    ['he froze in front of the class - which episode was that?', 'he froze in front of the class'],
    ['how do I get over jet lag, did they ever cover that?', 'how do I get over jet lag'],
    ['what did they say about feeding sourdough starters?', 'feeding sourdough starters?'],
    ["didn't a guest claim anyone can learn it in a weekend", 'anyone can learn it in a weekend'],
    ['something about a lab that shut its doors', 'a lab that shut its doors'],
  ])('%s', (question, bare) => expect(withoutFraming(question)).toBe(bare));

  test.each(['which episode was that?', 'How does bread rise?', '¿Qué episodio habla del pan?'])(
    'where nothing else is left, or nothing is to take, it stays: %s',
    (question) => expect(withoutFraming(question)).toBe(question),
  );
});
