import { buffer } from 'node:stream/consumers';
import { getDocumentProxy } from 'unpdf';
import { z } from 'zod';
import type { PdfLine } from './pdf-text.js';
import type { PdfAnswer } from './read-pdf.js';

/*
 * The process that reads one PDF: its bytes on standard input, its lines as JSON on standard output. What a hostile file can do ends with it:
 * read-pdf.ts bounds its memory and its time and gives it no environment.
 */

/** Runs of letters as pdf.js gives them; `transform` is [a, b, c, d, x, y] (ISO 32000-1, 8.3.3). */
const textItem = z.object({
  str: z.string(),
  transform: z.array(z.number()).min(6),
  height: z.number(),
  width: z.number(),
  hasEOL: z.boolean(),
});

async function readPages(bytes: Uint8Array, mostPages: number): Promise<PdfAnswer> {
  const document = await getDocumentProxy(bytes, { isEvalSupported: false, useSystemFonts: false, verbosity: 0 });
  if (document.numPages > mostPages)
    return { problem: `the PDF has ${document.numPages} pages; ${mostPages} are read at most` };
  const pages: PdfLine[][] = [];
  for (let number = 1; number <= document.numPages; number++) {
    const page = await document.getPage(number);
    const { items } = await page.getTextContent();
    pages.push(linesOf(items));
    page.cleanup();
  }
  return { pages };
}

function linesOf(items: readonly unknown[]): PdfLine[] {
  const lines: PdfLine[] = [];
  let open: (PdfLine & { endX: number }) | null = null;
  for (const item of items) {
    const parsed = textItem.safeParse(item);
    if (!parsed.success) continue;
    const { str, transform, height, width, hasEOL } = parsed.data;
    const [x = 0, y = 0] = transform.slice(4);
    if (open && Math.abs(open.y - y) < 0.5 * Math.max(open.height, height, 1)) {
      const gap = x - open.endX;
      const needsSpace = gap > 0.2 * Math.max(height, 1) && !open.text.endsWith(' ') && !str.startsWith(' ');
      open.text += (needsSpace ? ' ' : '') + str;
      open.endX = x + width;
      open.height = Math.max(open.height, height);
    } else if (str.trim() !== '') {
      open = { text: str, y, height, endX: x + width };
      lines.push(open);
    }
    if (hasEOL) open = null;
  }
  return lines.map(({ text, y, height }) => ({ text: text.trim(), y, height })).filter(({ text }) => text !== '');
}

function problemOf(error: unknown): string {
  const name = error instanceof Error ? error.name : '';
  if (name === 'PasswordException') return 'the PDF is locked with a password: upload it without';
  if (name === 'InvalidPDFException' || name === 'FormatError')
    return 'the file is no PDF that can be read: it is damaged or something else';
  return `the PDF cannot be read: ${error instanceof Error ? error.message : String(error)}`;
}

const mostPages = z.coerce.number().parse(process.argv[2]);
const bytes = new Uint8Array(await buffer(process.stdin));
const answer = await readPages(bytes, mostPages).catch((error: unknown): PdfAnswer => ({ problem: problemOf(error) }));
process.stdout.write(JSON.stringify(answer));
