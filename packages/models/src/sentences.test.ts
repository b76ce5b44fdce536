import { describe, expect, it } from '@jest/globals';
import { splitSentences } from './sentences.js';

const texts = (text: string) => splitSentences(text).map((span) => span.text);

describe('sentences', () => {
  it('stand in the text letter for letter at their place', () => {
    const text = '  First one.  Second, with Dr. Smith and J. R. Ray, e.g. here? Third: 3.5 litres!\n\nA line\n\nLast';
    for (const span of splitSentences(text)) {
      expect(text.slice(span.start, span.start + span.text.length)).toBe(span.text);
    }
    expect(texts(text)).toEqual([
      'First one.',
      'Second, with Dr. Smith and J. R. Ray, e.g. here?',
      'Third: 3.5 litres!',
      'A line',
      'Last',
    ]);
  });

  it('without punctuation are cut at words, none lost', () => {
    const spoken = Array.from({ length: 300 }, (_, index) => `word${index}`).join(' ');
    const parts = texts(spoken);
    expect(Math.max(...parts.map((part) => part.length))).toBeLessThanOrEqual(320);
    expect(parts.join(' ')).toBe(spoken);
  });

  it('of other scripts end where they end', () => {
    expect(texts('これは文です。次の文です。')).toEqual(['これは文です。', '次の文です。']);
    expect(texts('')).toEqual([]);
  });
});
