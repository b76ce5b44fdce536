/**
 * Characters a reader cannot see and a model can: control characters but tab and line feed, soft hyphens, zero-width and bidi controls, blank
 * fillers, the tag block and the supplementary variation selectors. They carry hidden instructions in and hidden marks out. Visible signs that
 * Unicode files under the same category (Arabic number signs) and the joiners stay.
 */
const hidden =
  /(?!\t|\n|\u200c|\u200d|[\u0600-\u0605]|\u06dd|\u08e2)[\p{Cc}\p{Cf}\u115f\u1160\u17b4\u17b5\u3164\uffa0]|[\u{e0100}-\u{e01ef}]|\u034f|\u180b|\u180c|\u180d/gu;
/** Joiners mean something inside emoji and several scripts, never after ASCII or at a beginning. */
const strayJoiner = /(^|\p{ASCII})(?:\u200c|\u200d)+/gu;

/**
 * The text without invisible characters. Line and paragraph separators and CR become line feeds first. `continuing`: the text goes on after a
 * visible character beyond ASCII, so that a joiner at its beginning has something to join.
 */
export function stripInvisible(text: string, continuing = false): string {
  const before = continuing ? 'é' : '';
  return (before + text)
    .replace(/\r\n?|[\u2028\u2029]/g, '\n')
    .replace(hidden, '')
    .replace(strayJoiner, '$1')
    .toWellFormed()
    .slice(before.length);
}
