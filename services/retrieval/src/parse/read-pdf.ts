import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { type ParsedSegment, ParseError } from './parsed.js';
import { segmentsOfPages } from './pdf-text.js';

const pdfAnswer = z.union([
  z.object({ problem: z.string() }),
  z.object({ pages: z.array(z.array(z.object({ text: z.string(), y: z.number(), height: z.number() }))) }),
]);
export type PdfAnswer = z.infer<typeof pdfAnswer>;

export interface PdfLimits {
  /** From start to answer, in milliseconds. */
  deadlineMs: number;
  /** JavaScript memory of the process, in MiB. */
  memoryMb: number;
  pages: number;
}

const usual: PdfLimits = { deadlineMs: 60_000, memoryMb: 512, pages: 3_000 };
/** More text than the largest source may have is nothing a PDF of ten megabytes says. */
const mostAnswerBytes = 64 * 1024 * 1024;

/**
 * The text of a PDF, paragraph by paragraph, without running titles. It is read by a process of its own with limits on time and memory: a file
 * made to hang or to swell ends that process and nothing else. Throws ParseError.
 */
export async function readPdf(
  bytes: Buffer,
  limits: PdfLimits = usual,
  childFile = new URL('./pdf-child.js', import.meta.url),
): Promise<ParsedSegment[]> {
  const child = spawn(
    process.execPath,
    [`--max-old-space-size=${limits.memoryMb}`, fileURLToPath(childFile), String(limits.pages)],
    { cwd: tmpdir(), env: {}, stdio: ['pipe', 'pipe', 'ignore'] },
  );
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill('SIGKILL');
  }, limits.deadlineMs);
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', resolve);
  });
  // It may end before it has read everything; how it ended says why.
  child.stdin.on('error', () => undefined);
  child.stdin.end(bytes);
  let length = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    length += chunk.length;
    if (length > mostAnswerBytes) child.kill('SIGKILL');
  });
  try {
    const [output, code] = await Promise.all([buffer(child.stdout), ended]);
    if (late) throw new ParseError('the PDF takes too long to read');
    if (code !== 0 || length > mostAnswerBytes) throw new ParseError('the PDF is too large or too tangled to read');
    const answer = pdfAnswer.parse(JSON.parse(output.toString('utf8')));
    if ('problem' in answer) throw new ParseError(answer.problem);
    return segmentsOfPages(answer.pages);
  } finally {
    clearTimeout(timer);
    child.kill('SIGKILL');
  }
}
