import { expect, test } from '@jest/globals';
import { ParseError } from './parsed.js';
import { readSource } from './read-source.js';

// A thread runs compiled code.
const threadFile = new URL('../../dist/parse/read-thread.js', import.meta.url);

test('a small source is read where it is, a big one in a thread, to the same end', async () => {
  const sentences = (count: number) =>
    Array.from({ length: count }, (_, at) => `Loaf ${at} of day ${at % 97} needs ${at % 31} hours of time. `).join('');
  const small = sentences(100);
  const big = sentences(5_000);
  const first = await readSource({ format: 'text', content: small }, threadFile);
  const second = await readSource({ format: 'text', content: big }, threadFile);
  expect(second.passages[0]).toEqual(first.passages[0]);
  expect(second.passages.length).toBeGreaterThan(200);
});

test('what is wrong with a big source is said in the same words', async () => {
  const content = `1\n00:00:xx,000 --> 00:00:04,000\n${'words '.repeat(20_000)}`;
  await expect(readSource({ format: 'srt', content }, threadFile)).rejects.toThrow(
    new ParseError('line 2: the cue time "00:00:xx,000" is not a time'),
  );
});

test('one line of a megabyte is read', async () => {
  const read = await readSource({ format: 'markdown', content: 'word '.repeat(200_000) }, threadFile);
  expect(read.passages.length).toBeGreaterThan(1_000);
});
