import { describe, expect, test } from '@jest/globals';
import type { RetrievedPassage } from '@sidestage/contracts';
import { quoteSeconds } from './citation-seconds.js';

const text = 'First words here. Second words there. Third words everywhere.';

function passage(segments: RetrievedPassage['segments'], seconds: [number | null, number | null]): RetrievedPassage {
  return {
    passage_id: 'p',
    source_id: 's',
    title: 't',
    url: 'u',
    source_url: null,
    text,
    start_seconds: seconds[0],
    end_seconds: seconds[1],
    score: 1,
    similarity: null,
    kind: 'video',
    segments,
  };
}

const offsets = [0, 18, 38];
const timed = passage(
  offsets.map((offset, index) => ({ offset, text: '', start_seconds: index * 10, end_seconds: index * 10 + 9 })),
  [0, 29],
);

describe('the seconds of a quote', () => {
  test('are those of the segments it touches', () => {
    expect(quoteSeconds(timed, 'Second words')).toEqual({ start: 10, end: 19 });
    expect(quoteSeconds(timed, 'there. Third')).toEqual({ start: 10, end: 29 });
    expect(quoteSeconds(timed, 'First words here.')).toEqual({ start: 0, end: 9 });
  });

  test('lie between two marks where a source has marks only', () => {
    const marked = passage(
      [
        { offset: 0, text: '', start_seconds: 100 },
        { offset: 18, text: '' },
        { offset: 38, text: '', start_seconds: 160 },
      ],
      [100, 200],
    );
    expect(quoteSeconds(marked, 'First')).toEqual({ start: 100, end: 160 });
    expect(quoteSeconds(marked, 'Second')).toEqual({ start: 100, end: 160 });
    expect(quoteSeconds(marked, 'Third')).toEqual({ start: 160, end: 200 });
  });

  test('are none where the source has none', () => {
    expect(quoteSeconds(passage([], [null, null]), 'First')).toEqual({ start: null, end: null });
  });
});
