import { describe, expect, it } from '@jest/globals';
import type { Citation } from '@sidestage/contracts';
import { markLabel, placeMarks, youtubeId } from './citations.js';

const at = (index: number, offset: number, startSeconds: number | null = 727): Citation => ({
  source_id: 's',
  title: 't',
  url: 'https://example.org',
  start_seconds: startSeconds,
  end_seconds: null,
  quote: 'q',
  index,
  offset,
});
/** Place holders made readable. */
const placed = (text: string, citations: Citation[]) =>
  placeMarks(text, citations).replace(/\uE000(\d+)\uE001/g, '<$1>');

describe('placeMarks', () => {
  it('puts each mark after the sentence it supports', () => {
    expect(placed('One. Two. Three.', [at(1, 4), at(2, 9)])).toBe('One.<1> Two.<2> Three.');
  });

  it('keeps marks at the same place in the order of their numbers', () => {
    expect(placed('One.', [at(2, 4), at(1, 4)])).toBe('One.<1><2>');
  });

  it('waits with a mark whose sentence has not come yet', () => {
    expect(placed('One', [at(1, 4)])).toBe('One');
  });

  it('stands behind the full stop where the offset is before it', () => {
    expect(placed('It is so. Yes.', [at(1, 8)])).toBe('It is so.<1> Yes.');
  });

  it('never breaks a word, a link or code', () => {
    expect(placed('wonderful day', [at(1, 4)])).toBe('wonderful<1> day');
    expect(placed('see [here](https://a.b/c) now', [at(1, 16)])).toBe('see [here](https://a.b/c)<1> now');
    expect(placed('run `a b` now', [at(1, 6)])).toBe('run `a b`<1> now');
    expect(placed('see https://a.b/c/d now', [at(1, 14)])).toBe('see https://a.b/c/d <1> now');
    expect(placed('see www.a.org. Now', [at(1, 14)])).toBe('see www.a.org. <1> Now');
  });

  it('does not take a reply’s own private characters for marks', () => {
    expect(placed('\uE0001\uE001 hello', [])).toBe(' 1  hello');
  });
});

describe('markLabel', () => {
  it('shows the second of a recording and the number of a text', () => {
    expect(markLabel(at(1, 0))).toBe('▶ 12:07');
    expect(markLabel(at(3, 0, null))).toBe('¶ 3');
  });
});

describe('youtubeId', () => {
  it('knows the forms of YouTube addresses and nothing else', () => {
    for (const address of [
      'https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=43s',
      'https://youtu.be/dQw4w9WgXcQ?t=43',
      'https://m.youtube.com/shorts/dQw4w9WgXcQ',
      'https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ',
    ]) {
      expect(youtubeId(address)).toBe('dQw4w9WgXcQ');
    }
    expect(youtubeId('https://youtube.com.evil.example/watch?v=dQw4w9WgXcQ')).toBeNull();
    expect(youtubeId('https://www.youtube.com/watch?v=%22%3E')).toBeNull();
    expect(youtubeId('not an address')).toBeNull();
  });
});
