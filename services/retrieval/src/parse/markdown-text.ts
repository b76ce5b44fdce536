import { decodeEntities } from './entities.js';

/** A backslash-escaped character is kept from all that follows as a code point of Unicode's private use area. */
const privateUse = 0xf100;

/** Punctuation that means itself: `plainMarkdown` gives it back as it is. */
export function protectPunctuation(text: string): string {
  return text.replace(/[!-/:-@[-`{-~]/g, (character) => String.fromCharCode(privateUse + character.charCodeAt(0)));
}

/** A backslash-escaped character, or a stretch of code: in both, punctuation means itself. Whichever comes first holds. */
const literalPattern = /\\([!-/:-@[-`{-~])|(?<!`)(`{1,20})([^`]{1,2000})\2(?!`)/g;
const emphasisPattern = /(\*{1,3}|~~)(?=\S)([^*~\n]{1,4000}?)(?<=\S)\1/g;

/** A paragraph's Markdown as plain text: links become their text, images go, emphasis and code marks go, escapes are undone. */
export function plainMarkdown(markdown: string): string {
  const text = markdown
    .replace(literalPattern, (_, escaped?: string, _marks?: string, code?: string) =>
      protectPunctuation(escaped ?? code ?? ''),
    )
    .replace(/<!--[\s\S]*?-->/g, '')
    .replace(/!\[[^\]]{0,500}\](?:\([^()]{0,2000}\)|\[[^\]]{0,200}\])?/g, '')
    .replace(/\[\^[^\]]{1,100}\]/g, '')
    .replace(/\[([^\][]{0,1000})\](?:\((?:[^()]|\([^()]{0,500}\)){0,2000}\)|\[[^\]]{0,200}\])/g, '$1')
    .replace(/<(?:https?|mailto):[^<>\s]{1,2000}>/g, '')
    .replace(/<br\s*\/?>/gi, ' ')
    .replace(/<\/?[A-Za-z][^<>]{0,500}>/g, '')
    // Twice: one emphasis may stand inside another.
    .replace(emphasisPattern, '$2')
    .replace(emphasisPattern, '$2')
    .replace(/(?<![\p{L}\p{N}_])(_{1,3})(?=\S)([^_\n]{1,4000}?)(?<=\S)\1(?![\p{L}\p{N}_])/gu, '$2');
  return decodeEntities(text).replace(/[\uf100-\uf17f]/g, (character) =>
    String.fromCharCode(character.charCodeAt(0) - privateUse),
  );
}
