import { describe, expect, it } from '@jest/globals';
import type { Segment } from '@sidestage/contracts';
import { cuesAt, layTranscript } from './transcript.js';

const segments: Segment[] = [
  { start_seconds: 0, end_seconds: 4, text: 'Rye has little gluten,' },
  { start_seconds: 4.4, end_seconds: 8, text: 'so the starch holds it' },
  { start_seconds: 8.6, end_seconds: 12, text: 'together. It’s not done yet.' },
];
const lit = (...spot: Parameters<typeof layTranscript>[1][]) =>
  layTranscript(segments, spot[0] ?? { startSeconds: null, endSeconds: null, quote: null })
    .flatMap((paragraph) => paragraph.pieces)
    .filter((piece) => piece.lit)
    .map((piece) => piece.text);

describe('layTranscript', () => {
  it('lights a quote across cues as one piece, whatever its typography', () => {
    const quote = "the STARCH holds it\ntogether.  It's not done yet";
    expect(lit({ startSeconds: 4.4, endSeconds: 12, quote })).toEqual([
      'the starch holds it together. It’s not done yet.',
    ]);
  });

  it('falls back to the seconds where the words are not found', () => {
    expect(lit({ startSeconds: 4, endSeconds: null, quote: 'other words' })).toEqual(['so the starch holds it']);
  });

  it('takes the match nearest to the cited second', () => {
    const twice: Segment[] = [
      { start_seconds: 0, text: 'salt it' },
      { start_seconds: 100, text: 'salt it' },
    ];
    const paragraphs = layTranscript(twice, { startSeconds: 99, endSeconds: null, quote: 'salt it' });
    expect(paragraphs.map((paragraph) => paragraph.lit)).toEqual([false, true]);
  });

  it('keeps every word of the source', () => {
    const text = layTranscript(segments, { startSeconds: 4, endSeconds: 9, quote: null })
      .flatMap((paragraph) => paragraph.pieces.map((piece) => piece.text))
      .join('');
    expect(text).toBe(segments.map((segment) => segment.text).join(' '));
  });

  it('begins a paragraph at another speaker, and for each part of a text without seconds', () => {
    const talk: Segment[] = [
      { start_seconds: 0, speaker: 'A', text: 'Hello' },
      { start_seconds: 1, speaker: 'B', text: 'Hello' },
    ];
    const none = { startSeconds: null, endSeconds: null, quote: null };
    expect(layTranscript(talk, none)).toHaveLength(2);
    expect(layTranscript([{ text: 'One' }, { text: 'Two' }], none)).toHaveLength(2);
  });
});

describe('paragraphs', () => {
  const none = { startSeconds: null, endSeconds: null, quote: null };
  const words = (segments: Segment[], title = '') =>
    layTranscript(segments, none, title).map(({ pieces }) => pieces.map((piece) => piece.text).join(''));

  it('ends with a sentence where one ends, and somewhere in captions without full stops', () => {
    const cue = (start: number, text: string): Segment => ({ start_seconds: start, text });
    expect(words([cue(0, 'One'), cue(45, 'goes on.'), cue(50, 'Two')])).toEqual(['One goes on.', 'Two']);
    expect(words([cue(0, 'one'), cue(45, 'goes on'), cue(95, 'two')])).toEqual(['one goes on', 'two']);
  });

  it('begin with the cited words where a sentence ends before them', () => {
    const cue = (start: number, text: string): Segment => ({ start_seconds: start, text });
    const cues = [
      cue(0, 'Leave it'),
      cue(4, 'alone.'),
      cue(9, 'A loaf'),
      cue(12, 'has to rest. It'),
      cue(20, 'is young.'),
    ];
    const startsWith = (quote: string) =>
      layTranscript(cues, { startSeconds: 9, endSeconds: null, quote }).map(({ startSeconds }) => startSeconds);
    expect(startsWith('A loaf has to rest.')).toEqual([0, 9]);
    expect(startsWith('is young.')).toEqual([0]);
  });

  it('name a speaker once for all that is said until another one speaks', () => {
    const say = (start: number, speaker: string): Segment => ({ start_seconds: start, speaker, text: 'Yes.' });
    const paragraphs = layTranscript([say(0, 'A'), say(60, 'A'), say(70, 'B')], none);
    expect(paragraphs.map(({ speaker }) => speaker)).toEqual(['A', null, 'B']);
  });

  it('of an article have its headings, and neither its title again nor rows and items as headings', () => {
    const prose =
      'Flour is always 100 percent, and everything else is written as a share of the flour and of nothing else.';
    const text = [
      'Bakers’ Percentages',
      prose,
      'The one rule',
      prose,
      'Like this:',
      'Flour, 90',
      'Salt',
      'Water',
      prose,
    ];
    const paragraphs = layTranscript(
      text.map((line) => ({ text: line })),
      none,
      "Bakers' percentages",
    );
    expect(paragraphs).toHaveLength(text.length - 1);
    expect(paragraphs.filter((paragraph) => paragraph.isHeading).map(({ pieces }) => pieces[0]?.text)).toEqual([
      'The one rule',
    ]);
  });
});

describe('cuesAt', () => {
  it('takes the cue that begins within the whole second of an address', () => {
    expect(cuesAt(segments, 4, null)).toEqual([1]);
    expect(cuesAt(segments, 7, null)).toEqual([1]);
    expect(cuesAt(segments, 500, null)).toEqual([2]);
  });
});
