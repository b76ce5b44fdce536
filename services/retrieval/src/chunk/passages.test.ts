import { describe, expect, test } from '@jest/globals';
import type { ParsedSegment } from '../parse/parsed.js';
import { chunkSegments } from './passages.js';
import { windowsOf } from './windows.js';

const sentence = (at: number) => `Sentence number ${at} says that loaf ${at} was baked for ${20 + (at % 30)} minutes.`;

/** Captions of three seconds that end in the middle of sentences. */
const captions = (sentences: number) =>
  captionsOf(Array.from({ length: sentences }, (_, at) => sentence(at)).join(' '));

function captionsOf(text: string): ParsedSegment[] {
  const words = text.split(' ');
  const cues: ParsedSegment[] = [];
  for (let at = 0; at < words.length; at += 7) {
    const start = cues.length * 3;
    cues.push({ start, end: start + 3, text: words.slice(at, at + 7).join(' '), opensBlock: at === 0 });
  }
  return cues;
}

function speech(turns: number): ParsedSegment[] {
  return Array.from({ length: turns }, (_, at) => ({
    start: at * 40,
    end: at * 40 + 40,
    speaker: at % 2 === 0 ? 'Ann' : 'Bob',
    text: Array.from({ length: 1 + (at % 9) }, (_, n) => sentence(at * 10 + n)).join(' '),
    opensBlock: true,
  }));
}

const kinds: [string, ParsedSegment[]][] = [
  ['captions', captions(120)],
  ['speech in turns', speech(60)],
  ['one endless line', [{ text: 'word '.repeat(20_000).trim(), opensBlock: true }]],
  ['one word of ten thousand letters', [{ text: 'x'.repeat(10_000), opensBlock: true }]],
  ['emoji without a space', [{ text: '🍞'.repeat(6_000), opensBlock: true }]],
  ['a single short line', [{ text: 'Bread.', opensBlock: true }]],
];

describe.each(kinds)('passages of %s', (_, segments) => {
  const passages = chunkSegments(segments);
  const flat = (text: string) => text.replace(/\s+/g, ' ');
  const source = flat(segments.map(({ text }) => text).join(' '));

  test('stand in the source letter for letter, in order, and lose nothing', () => {
    let from = 0;
    for (const { text } of passages) {
      const compact = flat(text).replaceAll(' ', '');
      expect(text).toBe(text.trim());
      expect(text.isWellFormed()).toBe(true);
      expect(source.replaceAll(' ', '').startsWith(compact, from)).toBe(true);
      from += compact.length;
    }
    expect(from).toBe(source.replaceAll(' ', '').length);
  });

  test('have at most 1,160 characters, and their parts stand where they say', () => {
    for (const { text, segments: parts } of passages) {
      expect(text.length).toBeLessThanOrEqual(1_160);
      for (const part of parts) expect(text.startsWith(part.text, part.offset)).toBe(true);
    }
  });

  test('have seconds that never go back', () => {
    let before = 0;
    for (const { start_seconds, end_seconds, segments: parts } of passages) {
      if (start_seconds === null) continue;
      expect(start_seconds).toBeGreaterThanOrEqual(before);
      expect(end_seconds).toBeGreaterThanOrEqual(start_seconds);
      for (const { start_seconds: at = -1 } of parts) {
        expect(at).toBeGreaterThanOrEqual(before);
        before = at;
      }
    }
  });

  test('have windows that are parts of them', () => {
    const all = passages.map(({ text }) => text);
    for (const { passage, text } of windowsOf(all)) expect(all[passage]).toContain(text);
  });
});

test('passages end where sentences end, and are 500 to 900 characters', () => {
  const passages = chunkSegments(captions(200)).slice(0, -1);
  for (const { text } of passages) {
    expect(text).toMatch(/\.$/);
    expect(text.length).toBeGreaterThanOrEqual(500);
    expect(text.length).toBeLessThanOrEqual(900);
  }
});

const remarksOn = (subject: string, sentences: number) =>
  Array.from(
    { length: sentences },
    (_, at) => `The ${subject} was number ${at} of every ${subject} that anybody had seen.`,
  ).join(' ');
/** From one subject to the next and back, never as long. */
const wandering = Array.from({ length: 40 }, (_, at) =>
  remarksOn(['loaf', 'guitar', 'river', 'garden', 'window'][(at * at) % 5] ?? '', 4 + ((at * 7) % 9)),
).join(' ');

test.each([
  ['speech in turns', speech(60), 7],
  ['captions', captionsOf(wandering), 42],
])('after a change %s is cut where it was cut before', (_, segments, at) => {
  const texts = (all: ParsedSegment[]) => chunkSegments(all).map(({ text }) => text);
  const before = new Set(texts(segments));
  const added = { ...segments[at], text: 'And something that was forgotten before.', opensBlock: false };
  const after = texts([...segments.slice(0, at + 1), added as ParsedSegment, ...segments.slice(at + 1)]);
  expect(after.filter((text) => !before.has(text)).length).toBeLessThanOrEqual(6);
  expect(after.length).toBeGreaterThan(18);
});

test('captions are cut where the subject shifts', () => {
  const subjects = ['loaf', 'guitar', 'river', 'garden'];
  const passages = chunkSegments(captionsOf(subjects.map((subject) => remarksOn(subject, 11)).join(' ')));
  for (const { text } of passages) expect(subjects.filter((each) => text.includes(each))).toHaveLength(1);
});

test('a speaker’s words are told from the next one’s', () => {
  const [passage] = chunkSegments([
    { speaker: 'Ann', text: 'Is it done?', opensBlock: true },
    { speaker: 'Bob', text: 'Not yet.', opensBlock: true },
  ]);
  expect(passage?.text).toBe('Is it done?\n\nNot yet.');
  expect(passage?.segments.map(({ speaker, offset }) => [speaker, offset])).toEqual([
    ['Ann', 0],
    ['Bob', 13],
  ]);
});
