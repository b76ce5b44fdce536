import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { makeBuiltinEmbeddings } from './builtin-embeddings.js';
import type { EmbeddingModel } from './embedding-model.js';

const minilmThread = new URL('../../dist/embeddings/minilm-thread.js', import.meta.url);
const dyingThread = new URL('./dying-thread.fixture.mjs', import.meta.url);

const opened: EmbeddingModel[] = [];
function open(threadFile: URL, threads = 1): EmbeddingModel {
  const model = makeBuiltinEmbeddings({ threads, threadFile });
  opened.push(model);
  return model;
}
afterEach(async () => {
  await Promise.all(opened.splice(0).map((model) => model.close()));
});

const cosine = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0);

describe('the built-in embedding model', () => {
  it('gives the vectors of all-MiniLM-L6-v2', async () => {
    const model = open(minilmThread);
    const [hello, greetings, question, answer] = await model.embedPassages([
      'hello',
      'greetings',
      'what did she say about the chain rule?',
      'The chain rule says that small nudges multiply.',
    ]);
    if (!hello || !greetings || !question || !answer) throw new Error('a vector is missing');
    expect([model.name, model.version, model.dimensions]).toEqual(['minilm-l6-v2-int8', '1', 384]);
    expect(hello).toHaveLength(384);
    expect(cosine(hello, hello)).toBeCloseTo(1, 3);
    // int8 arithmetic differs a little between processors: 0.671 to 0.681 were seen.
    expect(Math.abs(cosine(hello, greetings) - 0.676)).toBeLessThan(0.015);
    expect(Math.abs(cosine(question, answer) - 0.523)).toBeLessThan(0.02);
    expect(cosine(await model.embedQuery('hello'), hello)).toBeCloseTo(1, 5);
  });

  it('takes empty, endless and broken text', async () => {
    const model = open(minilmThread);
    const long = 'bread and butter '.repeat(4_000);
    const [empty, all, beginning, broken] = await model.embedPassages(['', long, long.slice(0, 7_900), 'half \ud83d']);
    if (!all || !beginning) throw new Error('a vector is missing');
    expect(cosine(all, beginning)).toBeCloseTo(1, 3);
    for (const vector of [empty, broken]) expect(vector?.every(Number.isFinite)).toBe(true);
  });
});

/** Opens the model in a process of its own, closes it after a while, and gives the process's exit code or signal. */
function openAndClose(afterMs: number): Promise<number | string> {
  const program = fileURLToPath(new URL('./closing-model.fixture.mjs', import.meta.url));
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [program, String(afterMs)], { env: {} });
    child.once('exit', (exitCode, signal) => resolve(exitCode ?? signal ?? ''));
  });
}

describe('a process that ends while the model loads', () => {
  it('ends well: a thread cut off in native code would abort it', async () => {
    const delays = Array.from({ length: 16 }, (_, index) => index * 25);
    const ends = [];
    for (const delayMs of delays) ends.push(await openAndClose(delayMs));
    expect(ends).toEqual(delays.map(() => 0));
  }, 60_000);
});

describe('embedding threads', () => {
  const folder = mkdtempSync(join(tmpdir(), 'embedding-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('take queries ahead of the passages that wait', async () => {
    const model = open(dyingThread);
    const passages = model.embedPassages(Array.from({ length: 8 }, (_, index) => `slow ${index}`));
    const query = await model.embedQuery('query');
    expect(query[0]).toBeLessThanOrEqual(2);
    expect((await passages).map((vector) => vector[0])).toEqual([1, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('tell how many passages are done, and keep their order over several threads', async () => {
    const model = open(dyingThread, 3);
    const seen: number[] = [];
    const texts = ['slow a', 'b', 'cc', 'slow dddd', 'eeeee'];
    const vectors = await model.embedPassages(texts, { onProgress: (done) => seen.push(done) });
    expect(vectors.map((vector) => vector[1])).toEqual(texts.map((text) => text.length));
    expect(seen).toEqual([1, 2, 3, 4, 5]);
  });

  it('that die are started again, and the text they died on is tried once more', async () => {
    const model = open(dyingThread);
    const [once, after] = await model.embedPassages([`die-once ${join(folder, 'once')}`, 'after']);
    expect([once, after].every((vector) => vector !== undefined)).toBe(true);
    await expect(model.embedQuery('die-always')).rejects.toMatchObject({ kind: 'server', retryable: true });
    expect(await model.embedQuery('still here')).toHaveLength(2);
    await expect(model.embedQuery('refuse')).rejects.toMatchObject({ kind: 'refused_request' });
  });

  it('drop what its caller no longer wants, and everything when closed', async () => {
    const model = open(dyingThread);
    const controller = new AbortController();
    const running = model.embedPassages(['slow 1', 'slow 2', 'slow 3'], { signal: controller.signal });
    controller.abort();
    await expect(running).rejects.toMatchObject({ kind: 'aborted' });
    expect((await model.embedQuery('next'))[0]).toBeLessThanOrEqual(3);
    const waiting = model.embedPassages(['slow 4', 'slow 5']);
    const closing = model.close();
    await expect(waiting).rejects.toMatchObject({ kind: 'aborted' });
    await closing;
    await expect(model.embedQuery('late')).rejects.toMatchObject({ kind: 'aborted' });
  });
});
