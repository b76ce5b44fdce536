import { wordsOf } from '../words.js';

export type SmallTalk = 'greeting' | 'thanks' | 'goodbye' | 'identity';

const greetings = words(
  'hi hello hey hiya howdy yo sup greetings hola bonjour salut hallo ciao ola namaste morning evening afternoon',
);
const thanks = words('thanks thank thx ty cheers gracias danke merci obrigado grazie dhanyavaad');
const praise = words(
  'awesome cool great nice wow perfect amazing helpful interesting lovely brilliant excellent ok okay haha lol',
);
const goodbyes = words('bye goodbye cya later goodnight farewell adios tschüss');
const around = words(
  `there you all good how are how's hows is it that that's thats this was going today doing do my friend man dear dude mate to meet nice so very
  much everyone again a an lot the for see have day one take care well really got love your answer reply help and i'm im fine i`,
);
const howAreYou = /^(and )?how('s| is| are) (you|it going|things|life|you doing)( today| doing)?$/;
const identity =
  /^(so )?(who are you|what are you|who is this|are you (real|human|a bot|a robot|an ai|a human|a real person|ai)|am i talking to (a|an|the real) .{1,30}|is this (an ai|a bot|really you|the real .{1,30})|what can you do|what can i ask( you)?|help|how (do|does) (you|this) work)$/;
const mostWords = 9;

/** What a message is when nothing is asked in it; null for everything that deserves a look into the material. */
export function smallTalkOf(message: string, creatorName: string): SmallTalk | null {
  const names = new Set(wordsOf(creatorName));
  const said = wordsOf(message);
  const phrase = said.join(' ');
  if (identity.test(phrase)) return 'identity';
  if (said.length === 0 || said.length > mostWords) return null;
  const isAround = (word: string) => around.has(word) || names.has(word);
  const only = (wanted: ReadonlySet<string>, ...others: ReadonlySet<string>[]) =>
    said.some((word) => wanted.has(word)) &&
    said.every((word) => wanted.has(word) || isAround(word) || others.some((other) => other.has(word)));
  if (howAreYou.test(phrase) || only(greetings, praise)) return 'greeting';
  if (only(thanks, praise, greetings, goodbyes)) return 'thanks';
  if (only(goodbyes, praise)) return 'goodbye';
  return only(praise) ? 'thanks' : null;
}

/** Whether nothing is asked, so that nothing need be searched for. */
export function isSmallTalk(message: string, creatorName: string): boolean {
  return smallTalkOf(message, creatorName) !== null;
}

function words(list: string): ReadonlySet<string> {
  return new Set(list.split(/\s+/));
}
