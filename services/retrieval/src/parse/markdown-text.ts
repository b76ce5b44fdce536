import { decodeEntities } from './entities.js';

/** A backslash-escaped character is kept from all that follows as a code point of Unicode's private use area. */
const privateUse = 0xf100;

/** A paragraph's Markdown as plain text: links become their text, images go, emphasis and code marks go, escapes are undone. */
export function plainMarkdown(markdown: string): string {
  const text = markdown
    .replace(/\\([!-/:-@[-`{-~])/g, (_, character: string) => String.fromCharCode(privateUse + character.charCodeAt(0)))
    .replace(/<!--[\s\S]*?-->/g, '')
    .replace(/!\[[^\]]{0,500}\](?:\([^()]{0,2000}\)|\[[^\]]{0,200}\])?/g, '')
    .replace(/\[\^[^\]]{1,100}\]/g, '')
    .replace(/\[([^\][]{0,1000})\](?:\((?:[^()]|\([^()]{0,500}\)){0,2000}\)|\[[^\]]{0,200}\])/g, '$1')
    .replace(/<(?:https?|mailto):[^<>\s]{1,2000}>/g, '')
    .replace(/<br\s*\/?>/gi, ' ')
    .replace(/<\/?[A-Za-z][^<>]{0,500}>/g, '')
    .replace(/(`+)([^`]{1,2000})\1/g, '$2')
    .replace(/(\*{1,3}|~~)(?=\S)([^*~\n]{1,4000}?)(?<=\S)\1/g, '$2')
    .replace(/(?<![\p{L}\p{N}_])(_{1,3})(?=\S)([^_\n]{1,4000}?)(?<=\S)\1(?![\p{L}\p{N}_])/gu, '$2');
  return decodeEntities(text).replace(/[\uf100-\uf17f]/g, (character) =>
    String.fromCharCode(character.charCodeAt(0) - privateUse),
  );
}
