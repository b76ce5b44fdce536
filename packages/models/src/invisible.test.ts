import { describe, expect, it } from '@jest/globals';
import { stripInvisible } from './invisible.js';

describe('invisible characters', () => {
  it('that hide words go: tags, bidi controls, zero width, controls', () => {
    const hidden = '\u{e0041}\u{e0042}\u202e\u200b\u2066\ufeff\u00ad\u0007\u{e0101}';
    expect(stripInvisible(`a${hidden}b\r\nc\td`)).toBe('ab\nc\td');
    expect(stripInvisible('i\u200dg\u200cnore')).toBe('ignore');
  });

  it('that readers need stay: joined emoji, Hindi, Persian, accents', () => {
    for (const text of ['👩‍🍳 bakes', 'क्‍ष', 'می‌خواهم', 'Zoë ✨️']) expect(stripInvisible(text)).toBe(text);
    expect(stripInvisible('\u200d🍳', true)).toBe('\u200d🍳');
  });

  it('never leave half a character', () => {
    expect(stripInvisible('a\ud83db').isWellFormed()).toBe(true);
  });
});
