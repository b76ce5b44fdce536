/**
 * Characters a reader cannot see and a model can: control characters but tab and line feed, soft hyphens, zero-width and bidi controls, the
 * tag block and the supplementary variation selectors. They carry hidden instructions in and hidden marks out.
 */
const hidden =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it removes
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\u{1d173}-\u{1d17a}\u{e0000}-\u{e0fff}]/gu;
/** Joiners mean something inside emoji and several scripts, never after ASCII or at a beginning. */
const strayJoiner = /(^|[\u0000-\u007f])[\u200c\u200d]+/gu;

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
