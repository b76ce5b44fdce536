import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { makePdf } from '../testing/pdfs.js';
import { ParseError } from './parsed.js';
import { segmentsOfPages } from './pdf-text.js';
import { type PdfLimits, readPdf } from './read-pdf.js';

// A process runs compiled code.
const childFile = new URL('../../dist/parse/pdf-child.js', import.meta.url);
const limits: PdfLimits = { deadlineMs: 30_000, memoryMb: 256, pages: 10 };
const textsOf = async (file: Buffer, some: Partial<PdfLimits> = {}) =>
  (await readPdf(file, { ...limits, ...some }, childFile)).map(({ text }) => text);

describe('a PDF', () => {
  test('is read in paragraphs, words broken at a line’s end made whole, over the end of a page', async () => {
    const file = makePdf([
      ['The dough rests over-', 'night in the cold.', '', 'Then it is', 'shaped and'],
      ['baked until brown.', '', 'Bread needs time.'],
    ]);
    expect(await textsOf(file)).toEqual([
      'The dough rests overnight in the cold.',
      'Then it is shaped and baked until brown.',
      'Bread needs time.',
    ]);
  });

  test('loses the titles and numbers that run over its pages, and nothing else', async () => {
    const page = (number: number) => ['The Bread Book', '', `Loaf ${'abcdef'[number]} is baked.`, '', `Page ${number}`];
    expect(await textsOf(makePdf([0, 1, 2, 3, 4].map(page)))).toEqual(
      ['a', 'b', 'c', 'd', 'e'].map((loaf) => `Loaf ${loaf} is baked.`),
    );
  });

  test('loses its page numbers, however few the pages', async () => {
    expect(
      await textsOf(
        makePdf([
          ['Bread needs time.', '', '1/2'],
          ['Page 2', '', 'It needs 2 loaves.'],
        ]),
      ),
    ).toEqual(['Bread needs time.', 'It needs 2 loaves.']);
  });

  test.each<[string, Buffer, Partial<PdfLimits>, RegExp]>([
    ['damaged', Buffer.from('%PDF-1.7 and then nothing of the kind'), {}, /no PDF that can be read|cannot be read/],
    ['without text', makePdf([[]]), {}, /a scan holds pictures/],
    ['of too many pages', makePdf([['a'], ['b'], ['c']]), { pages: 2 }, /has 3 pages; 2 are read at most/],
    ['that takes too long', makePdf([['a']]), { deadlineMs: 1 }, /takes too long/],
  ])('%s is refused in words', async (_, file, some, words) => {
    const reading = textsOf(file, some);
    await expect(reading).rejects.toThrow(ParseError);
    await expect(reading).rejects.toThrow(words);
  });
});

describe('the process that reads a PDF', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pdf-child-'));
  });
  afterAll(() => rm(folder, { recursive: true }));
  const childThat = (does: string) => {
    const file = join(folder, `${does.length}.mjs`);
    writeFileSync(file, does);
    return pathToFileURL(file);
  };

  test('that takes more memory than it may ends, and ours goes on', async () => {
    const swelling = childThat('const all = []; for (;;) all.push(new Array(1e6).fill(Math.random()));');
    await expect(readPdf(makePdf([['a']]), { ...limits, memoryMb: 32 }, swelling)).rejects.toThrow(
      /too large or too tangled/,
    );
  }, 30_000);

  test('that hangs is ended', async () => {
    await expect(readPdf(makePdf([['a']]), { ...limits, deadlineMs: 500 }, childThat('for (;;);'))).rejects.toThrow(
      /takes too long/,
    );
  });

  test('is told nothing of our environment', async () => {
    process.env.SIDESTAGE_PDF_TEST = 'a secret';
    const telling = childThat('process.stdout.write(JSON.stringify({ problem: JSON.stringify(process.env) }));');
    const told = await readPdf(makePdf([['a']]), limits, telling).catch(String);
    delete process.env.SIDESTAGE_PDF_TEST;
    expect(told).not.toContain('a secret');
  });
});

test('a line that stands higher than the one before begins another column, and a sentence goes on in it', () => {
  const line = (text: string, y: number) => ({ text, y, height: 10 });
  const page = [line('It ends', 100), line('in the next', 88), line('column.', 300), line('So it does.', 270)];
  expect(segmentsOfPages([page]).map(({ text }) => text)).toEqual(['It ends in the next column.', 'So it does.']);
});
