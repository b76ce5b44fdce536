/** Ways of writing that only somebody who types in a hurry uses: one of them, and the message is read as such. */
const signs = new Set(
  'u ur abt ppl wat wats wich wher teh dey b4 cuz coz lol lmao rofl ngl tbh idk smth sth jus jst duz rly alrdy gr8 m8 m8s w/o nemore no1 every1 some1 thx plz pls omg btw tho hes shes theyre dont doesnt didnt cant'.split(
    ' ',
  ),
);

/** What is meant by it; empty where it means nothing. The short ones are read so only in a message that shows a sign. */
const meant: Readonly<Record<string, string>> = {
  u: 'you',
  ur: 'your',
  r: 'are',
  y: 'why',
  n: 'and',
  w: 'with',
  'w/o': 'without',
  b: 'be',
  '2': 'to',
  '4': 'for',
  b4: 'before',
  abt: 'about',
  ppl: 'people',
  wat: 'what',
  wats: 'what is',
  whats: 'what is',
  wich: 'which',
  wher: 'where',
  teh: 'the',
  da: 'the',
  dat: 'that',
  dey: 'they',
  em: 'them',
  cuz: 'because',
  coz: 'because',
  bc: 'because',
  smth: 'something',
  sth: 'something',
  sum: 'some',
  some1: 'someone',
  every1: 'everyone',
  no1: 'no one',
  jus: 'just',
  jst: 'just',
  duz: 'does',
  evn: 'even',
  rly: 'really',
  alrdy: 'already',
  alredy: 'already',
  gr8: 'great',
  m8: 'friend',
  m8s: 'friends',
  mite: 'might',
  nite: 'night',
  thru: 'through',
  tho: 'though',
  insted: 'instead',
  thingy: 'thing',
  nemore: 'any more',
  wanna: 'want to',
  gonna: 'going to',
  tryna: 'trying to',
  hes: 'he is',
  shes: 'she is',
  theyre: 'they are',
  dont: "don't",
  doesnt: "doesn't",
  didnt: "didn't",
  cant: "can't",
  ep: 'episode',
  eps: 'episodes',
  vid: 'video',
  vids: 'videos',
  yo: '',
  lol: '',
  lmao: '',
  rofl: '',
  ngl: '',
  tbh: '',
  idk: '',
  omg: '',
  btw: '',
  thx: '',
  plz: '',
  pls: '',
};

const wordPattern = /[\p{L}\p{N}]+(?:\/[a-z])?/gu;

/** `y do ppl do that lol` as `why do people do that`: what was written for friends in words that books and speech share. English only. */
export function withoutChatSpeak(text: string): string {
  const words = text.toLowerCase().match(wordPattern) ?? [];
  if (!words.some((word) => signs.has(word))) return text;
  return text
    .replace(wordPattern, (word, at: number) => {
      // A number within figures or a code (`2.5`, `GPT-4`) is one.
      const inCode = /[\d.$€£#:-]/.test(text[at - 1] ?? '') || /^[\d.%:-]\S/.test(text.slice(at + word.length));
      return inCode ? word : (meant[word.toLowerCase()] ?? word);
    })
    .replace(/\s+/g, ' ')
    .trim();
}
