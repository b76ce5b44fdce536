const sentenceEnd = /[.!?…。！？]["”’»)]*(?=\s|$)|\n+/g;

/**
 * The sentences of a growing text that are complete beyond `from`, as plain speech, and how far they reach. Screen readers are told these
 * and not single words.
 * @param finished the text will not grow: its tail counts as a sentence
 */
export function completeSentences(text: string, from: number, finished: boolean): { spoken: string; upTo: number } {
  let upTo = from;
  if (finished) upTo = text.length;
  else {
    for (const match of text.slice(from).matchAll(sentenceEnd)) {
      const end = from + match.index + match[0].length;
      // The mark may turn out to be inside a number or an abbreviation while nothing follows it yet.
      if (end < text.length) upTo = end;
    }
  }
  return { spoken: asSpeech(text.slice(from, upTo)), upTo };
}

function asSpeech(markdown: string): string {
  return markdown
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/[*_`#>~]+/g, '')
    .replace(/\s+/g, ' ')
    .trim();
}
