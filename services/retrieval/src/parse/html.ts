import { Parser } from 'htmlparser2';
import { type ParsedSegment, ParseError, tidy } from './parsed.js';

const skipped = new Set(
  // Not `form`: some sites put the whole page into one.
  'script style nav head header footer aside button select option svg noscript template iframe object canvas audio video textarea dialog'.split(
    ' ',
  ),
);
const blocks = new Set(
  'p div section article main h1 h2 h3 h4 h5 h6 li ul ol dl dt dd blockquote pre table tr td th figure figcaption hr address details summary body html'.split(
    ' ',
  ),
);
const voidTags = new Set('area base br col embed hr img input link meta source track wbr'.split(' '));
/** From this many characters on what stands in `main` or `article` is the text, and the rest of the page is not. */
const wholeArticle = 200;

/** The parser's time grows with the square of this. No page that people read comes near. */
const deepest = 3_000;

/** The readable text of a page. Nothing is fetched; scripts, styles, navigation, forms and hidden parts are left out. */
export function parseHtml(html: string): ParsedSegment[] {
  const paragraphs: { text: string; inArticle: boolean }[] = [];
  const open: { name: string; hides: boolean }[] = [];
  let hiding = 0;
  let article = 0;
  let words = '';
  const flush = () => {
    const text = tidy(words);
    if (text !== '') paragraphs.push({ text, inArticle: article > 0 });
    words = '';
  };
  const parser = new Parser(
    {
      onopentag(name, attributes) {
        if (blocks.has(name)) flush();
        if (name === 'br') words += ' ';
        if (voidTags.has(name)) return;
        if (name === 'article' || name === 'main') article += 1;
        const hides = hidesContent(name, attributes, article > 0);
        if (hides) hiding += 1;
        open.push({ name, hides });
        if (open.length > deepest)
          throw new ParseError(`the page has more than ${deepest} elements inside one another`);
      },
      ontext(text) {
        if (hiding === 0) words += text;
      },
      onclosetag(name) {
        if (voidTags.has(name)) return;
        if (blocks.has(name)) flush();
        if (name === 'article' || name === 'main') article = Math.max(0, article - 1);
        if (open.pop()?.hides) hiding -= 1;
      },
    },
    { decodeEntities: true, lowerCaseTags: true },
  );
  parser.write(html);
  parser.end();
  flush();
  const own = paragraphs.filter(({ inArticle }) => inArticle);
  const chosen = own.reduce((sum, { text }) => sum + text.length, 0) >= wholeArticle ? own : paragraphs;
  return chosen.map(({ text }) => ({ text, opensBlock: true }));
}

/** A header inside an article holds its title. */
function hidesContent(name: string, attributes: Record<string, string>, inArticle: boolean): boolean {
  if (skipped.has(name) && !(name === 'header' && inArticle)) return true;
  if ('hidden' in attributes || attributes['aria-hidden'] === 'true') return true;
  return /display\s*:\s*none|visibility\s*:\s*hidden/i.test(attributes.style ?? '');
}
