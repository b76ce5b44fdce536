/**
 * How a question is put, which says nothing about what is asked: that it was in an episode, that somebody said it, that the fan thinks so. Taken
 * out, what is left is nearer to the passage. English; what stands in another language matches none of it.
 */
const episode = '(?:episodes?|eps?|ones?|chats?|talks?|conversations?|videos?|clips?|podcasts?|streams?|interviews?)';
const teller =
  '(?:they|he|she|you|anyone|anybody|someone|somebody|(?:a|the|one|your|one of the|that) (?:guests?|hosts?|presenters?))';
const telling =
  '(?:talks?|talked|covers?|covered|mentions?|mentioned|says?|said|saying|discuss(?:es|ed)?|explain(?:s|ed)?|claims?|claimed)';

const framings: readonly RegExp[] = [
  // which episode was that? - what was that about?
  new RegExp(`\\b(?:which|what) ${episode} (?:was|is) (?:that|it|this)(?: one| in| on)?\\b`, 'gi'),
  /\bwhat was that (?:about|one)\b/gi,
  // the one with, that episode about
  new RegExp(`\\b(?:the|that) (?:${episode}|bit|part|story) (?:with|where|about|on|when|in which)\\b`, 'gi'),
  /^(?:the|that) (?:story|example|trick|quote|study) (?:about|of|where)\b/gi,
  /^(?:something|anything) (?:about|on|with|to do with)\b/gi,
  // which episode explains, which one should I hear
  new RegExp(
    `\\b(?:which|what) ${episode} (?:${telling}(?: about)?|should i (?:hear|listen to|watch)|helps?|is about|has)\\b`,
    'gi',
  ),
  // did they ever cover that?
  new RegExp(`\\b(?:did|do|have|has) ${teller} (?:ever )?${telling}(?: about| on)?(?: that| it| this)?\\s*\\??$`, 'gi'),
  new RegExp(`\\bwhat (?:did|do|does) ${teller} (?:say|think|make|suggest)(?: about| of)?(?: doing)?\\b`, 'gi'),
  // they talked about it I think
  new RegExp(`\\b${teller} (?:talk|talks|talked|said|mentioned|discussed) (?:about )?(?:it|that|this)\\b`, 'gi'),
  new RegExp(`^(?:didn't|did|does|do|was|is|wasn't)? ?${teller} ${telling}\\b`, 'gi'),
  new RegExp(`\\b${teller} (?:said|say|mentioned|explained|compared)\\b`, 'gi'),
  /\bi (?:think|guess|believe|remember|recall)\b/gi,
  /\baccording to (?:them|him|her|you|the (?:show|podcast|hosts?|guest))\b/gi,
  new RegExp(`\\b(?:in|on) (?:the|that|this|your|one of (?:the|your)) (?:show|${episode})\\b`, 'gi'),
];

/** Words that have to be left. */
const fewest = 3;

/** The question without its framing; as it was where hardly anything would be left. */
export function withoutFraming(question: string): string {
  let bare = question;
  for (const framing of framings) bare = bare.replace(framing, ' ');
  bare = bare
    .replace(/\s+/g, ' ')
    .replace(/^[\s,.?!:;–—-]+|[\s,:;–—-]+\??$/g, '')
    .trim();
  return (bare.match(/[\p{L}\p{N}]+/gu) ?? []).length >= fewest ? bare : question;
}
