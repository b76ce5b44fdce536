/** Words that say how something is asked or said, not what about. Chat verbs ("tell", "explain", "episode") are among them on purpose. */
const stopWords = new Set(
  `a about above actually after again against all almost also although always am an and another any anybody anyone anything are aren't around as
  ask asked at away back be became because been before being below between both but by call called came can can't cannot come could couldn't did
  didn't do does doesn't doing don't done down during each either else even ever every everyone everything explain explains explaining few first for from further
  gave get gets getting give given go goes going gonna gone got had has hasn't have haven't having he he's hello hey hi her here here's hers him his
  how how's however i i'd i'll i'm i've if in instead into is isn't it it'd it'll it's its itself just kind know last least let let's like
  little lot lots made make makes making many may maybe me mean means mention mentioned might mine more most much must my myself never no nor
  not nothing now of off often oh ok okay on once one ones only or other our ours out over own part people perhaps please pretty put quite
  rather really right said same saw say saying says see seem seems she should shouldn't show since so some somebody someone something sometimes
  somewhere sort still stuff such sure take talk talked talking tell tells than thank thanks that that's the their theirs them then there
  there's these they they'd they'll they're they've thing things think this those though thought through to today together told too toward
  try two under until up upon us use used using usually very want wanted wants was wasn't way we we'd we'll we're we've well went were
  weren't what what's when where where's whether which while who who's whole whom whose why will with within without won't would wouldn't yeah yes
  yet you you'd you'll you're you've your yours yourself
  episode episodes podcast video videos show guest host listener fan remember heard hear discuss discusses discussed explained mentions asks bit whats hows thats dont didnt u ur lol btw pls again question`
    .split(/\s+/)
    .filter((word) => word !== ''),
);

const wordPattern = /[\p{L}\p{N}]+(?:['’][\p{L}]+)*/gu;

/** Every word as it stands, lower-cased, typographic apostrophes made plain. */
export function wordsOf(text: string): string[] {
  return (text.toLowerCase().match(wordPattern) ?? []).map((word) => word.replaceAll('’', "'"));
}

/** The stems of the words that carry meaning, in order, with repeats. */
export function contentStems(text: string): string[] {
  return wordsOf(text)
    .filter((word) => !stopWords.has(word) && (word.length > 1 || /\p{N}|[^\p{ASCII}]/u.test(word)))
    .map(stem);
}

/** A light English stemmer: plural, -ing, -ed, -ly and -er endings, enough to match "neurons" and "neuron", "learning" and "learned". */
export function stem(word: string): string {
  let base = word.replace(/'(s|re|ve|ll|d|m|t)?$/, '');
  if (base.length <= 3 || !/^[a-z]+$/.test(base)) return base;
  base = base
    .replace(/(ss|x|ch|sh|zz)es$/, '$1')
    .replace(/ies$/, 'y')
    .replace(/([^su])s$/, '$1');
  for (const ending of [/(ational|ation|ations)$/, /(ically|ingly|edly)$/, /(ing|ed|ly|ers|er|ment|ness)$/]) {
    const cut = base.replace(ending, '');
    if (cut !== base && cut.length >= 3 && /[aeiouy]/.test(cut)) {
      base = cut.replace(/([b-df-hj-np-tv-z])\1$/, '$1');
      break;
    }
  }
  return base.length > 3 ? base.replace(/[ey]$/, '') : base;
}

/**
 * How much each stem tells one text from the others: ln((N + 1) / (n + 0.5)) over `texts`. A stem none of them holds has the weight of the
 * rarest.
 */
export function makeStemWeights(texts: readonly (readonly string[])[]): (stem: string) => number {
  const holders = new Map<string, number>();
  for (const stems of texts) for (const each of new Set(stems)) holders.set(each, (holders.get(each) ?? 0) + 1);
  return (each) => Math.log((texts.length + 1) / ((holders.get(each) ?? 0) + 0.5)) + 0.1;
}
