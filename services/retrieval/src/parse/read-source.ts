import { Worker } from 'node:worker_threads';
import { z } from 'zod';
import { withoutNearDuplicates } from '../chunk/near-duplicates.js';
import { type ChunkedPassage, chunkSegments } from '../chunk/passages.js';
import { type PassageWindow, windowsOf } from '../chunk/windows.js';
import { parseSource, type SourceFormat, type TextFormat } from './parse-source.js';
import { type ParsedSegment, ParseError } from './parsed.js';
import { readPdf } from './read-pdf.js';

/** What a source is made into, before it is embedded. */
export interface ReadSource {
  segments: ParsedSegment[];
  passages: ChunkedPassage[];
  windows: PassageWindow[];
}
export interface ReadRequest {
  format: SourceFormat;
  /** Text; of a PDF its bytes in base64. */
  content: string;
}
/** What a thread is given. */
export interface ThreadRequest {
  format: TextFormat;
  content: string;
}
export type ReadAnswer = { read: ReadSource } | { problem: string };

/** Up to this many characters (an hour of talk) reading takes some 10 ms: less than a thread takes to start. */
const inlineCharacters = 64_000;
/** Longest time and most memory a thread has. */
const deadlineMs = 120_000;
const memoryMb = 1_024;
const answerShape = z.union([z.object({ problem: z.string() }), z.object({ read: z.custom<ReadSource>() })]);

export function readSourceNow({ format, content }: ThreadRequest): ReadSource {
  return cut(parseSource(format, content));
}

function cut(segments: ParsedSegment[]): ReadSource {
  const passages = withoutNearDuplicates(chunkSegments(segments));
  return { segments, passages, windows: windowsOf(passages.map(({ text }) => text)) };
}

/** Reads a source; a big one in a thread of its own, off the event loop, a PDF in a process. Throws ParseError. */
export async function readSource(
  { format, content }: ReadRequest,
  threadFile = new URL('./read-thread.js', import.meta.url),
): Promise<ReadSource> {
  if (format === 'pdf') return cut(await readPdf(Buffer.from(content, 'base64')));
  const request: ThreadRequest = { format, content };
  if (content.length <= inlineCharacters) return readSourceNow(request);
  const worker = new Worker(threadFile, { workerData: request, resourceLimits: { maxOldGenerationSizeMb: memoryMb } });
  let timer: NodeJS.Timeout | undefined;
  try {
    const answer = await new Promise<ReadAnswer>((resolve, reject) => {
      timer = setTimeout(() => reject(new ParseError('the file takes too long to read')), deadlineMs);
      worker.on('message', (message: unknown) => resolve(answerShape.parse(message)));
      worker.on('error', (error) =>
        reject(
          'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY'
            ? new ParseError('the file is too large to read')
            : error,
        ),
      );
      worker.on('exit', () => reject(new Error('the reading thread ended without an answer')));
    });
    if ('problem' in answer) throw new ParseError(answer.problem);
    return answer.read;
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}
