import { Worker } from 'node:worker_threads';
import { ModelError } from '../model-error.js';
import type { EmbeddingModel, EmbedOptions, EmbedPassagesOptions } from './embedding-model.js';

export interface BuiltinEmbeddingsOptions {
  /** Worker threads, at least 1. Each holds the model (about 120 MB) and computes one text at a time. */
  threads: number;
  /** What a thread runs; default the MiniLM thread beside this file. Speaks ThreadRequest and ThreadAnswer. */
  threadFile?: URL;
}

export type ThreadRequest = { text: string } | 'end';
export type ThreadAnswer = { vector: Float32Array } | { error: string };

interface Job {
  text: string;
  attempts: number;
  settled: boolean;
  resolve: (vector: Float32Array) => void;
  reject: (error: Error) => void;
}

interface Slot {
  worker: Worker | null;
  job: Job | null;
}

const maxAttempts = 2;
/** A thread that does not end by itself within this is ended. Milliseconds. */
const endWithinMs = 10_000;

/**
 * all-MiniLM-L6-v2 in worker threads: no key, no network, never on the event loop of a service. A thread takes one text at a time and
 * queries are taken first, so a query waits for at most one passage. A thread that dies is started again and its text is tried once more.
 */
export function makeBuiltinEmbeddings(options: BuiltinEmbeddingsOptions): EmbeddingModel {
  const threadFile = options.threadFile ?? new URL('./minilm-thread.js', import.meta.url);
  const slots: Slot[] = Array.from({ length: Math.max(1, options.threads) }, () => ({ worker: null, job: null }));
  const queries: Job[] = [];
  const passages: Job[] = [];
  let closed = false;

  function start(slot: Slot): Worker {
    const worker = new Worker(threadFile);
    slot.worker = worker;
    worker.on('message', (answer: ThreadAnswer) => {
      const job = slot.job;
      slot.job = null;
      if (job) settle(job, answer);
      fill(slot);
    });
    let cause: unknown = 'it exited';
    worker.on('error', (error) => {
      cause = error;
    });
    worker.on('exit', () => recover(slot, worker, cause));
    return worker;
  }

  function recover(slot: Slot, worker: Worker, cause: unknown): void {
    if (slot.worker !== worker) return;
    slot.worker = null;
    const job = slot.job;
    slot.job = null;
    if (closed) return;
    if (job && job.attempts < maxAttempts) {
      run(slot, job);
      return;
    }
    if (job) reject(job, new ModelError('server', 'builtin', 'the embedding thread died twice on one text', { cause }));
    fill(slot);
  }

  function run(slot: Slot, job: Job): void {
    job.attempts += 1;
    slot.job = job;
    const worker = slot.worker ?? start(slot);
    worker.postMessage({ text: job.text } satisfies ThreadRequest);
  }

  function fill(slot: Slot): void {
    if (closed || slot.job) return;
    const job = queries.shift() ?? passages.shift();
    if (job) run(slot, job);
  }

  function embed(queue: Job[], text: string, signal: AbortSignal | undefined): Promise<Float32Array> {
    if (closed || signal?.aborted) return Promise.reject(abortedError());
    return new Promise<Float32Array>((resolve, rejectPromise) => {
      const forget = () => {
        const at = queue.indexOf(job);
        if (at >= 0) queue.splice(at, 1);
        reject(job, abortedError());
      };
      const job: Job = {
        text,
        attempts: 0,
        settled: false,
        resolve: (vector) => {
          signal?.removeEventListener('abort', forget);
          resolve(vector);
        },
        reject: (error) => {
          signal?.removeEventListener('abort', forget);
          rejectPromise(error);
        },
      };
      signal?.addEventListener('abort', forget, { once: true });
      queue.push(job);
      const idle = slots.find((slot) => slot.job === null);
      if (idle) fill(idle);
    });
  }

  for (const slot of slots) start(slot);

  return {
    name: 'minilm-l6-v2-int8',
    version: '1',
    dimensions: 384,
    embedQuery: (text: string, { signal }: EmbedOptions = {}) => embed(queries, text, signal),
    embedPassages: (texts: readonly string[], { signal, onProgress }: EmbedPassagesOptions = {}) => {
      let done = 0;
      return Promise.all(
        texts.map(async (text) => {
          const vector = await embed(passages, text, signal);
          done += 1;
          onProgress?.(done, texts.length);
          return vector;
        }),
      );
    },
    close: async () => {
      closed = true;
      const waiting = [...queries.splice(0), ...passages.splice(0)];
      for (const slot of slots) if (slot.job) waiting.push(slot.job);
      for (const job of waiting) reject(job, abortedError());
      await Promise.all(slots.map((slot) => slot.worker && end(slot.worker)));
    },
  };
}

/** Lets a thread finish first: one that is cut off while native code loads or runs the model takes the whole process with it. */
async function end(worker: Worker): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, endWithinMs);
  });
  const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  worker.postMessage('end' satisfies ThreadRequest);
  await Promise.race([ended, late]);
  clearTimeout(timer);
  await worker.terminate();
}

function settle(job: Job, answer: ThreadAnswer): void {
  if (job.settled) return;
  if ('error' in answer) {
    reject(job, new ModelError('refused_request', 'builtin', `the text cannot be embedded: ${answer.error}`));
    return;
  }
  job.settled = true;
  job.resolve(answer.vector);
}

function reject(job: Job, error: Error): void {
  if (job.settled) return;
  job.settled = true;
  job.reject(error);
}

function abortedError(): ModelError {
  return new ModelError('aborted', 'builtin', 'the embedding was cancelled');
}
