import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type ModelServer, startGeminiServer, startOpenAiServer } from '@sidestage/testkit';
import type { EmbeddingModel } from './embedding-model.js';
import { makeGeminiEmbeddings } from './gemini-embeddings.js';
import { makeEmbeddings } from './make-embeddings.js';
import { makeOpenAiEmbeddings } from './openai-embeddings.js';

const providers = [
  {
    name: 'gemini' as const,
    start: startGeminiServer,
    make: (baseUrl: string, dimensions: number): EmbeddingModel =>
      makeGeminiEmbeddings({ apiKey: 'key', baseUrl, dimensions, timeoutMs: 5_000 }),
    batches: 3,
  },
  {
    name: 'openai' as const,
    start: startOpenAiServer,
    make: (baseUrl: string, dimensions: number): EmbeddingModel =>
      makeOpenAiEmbeddings({ apiKey: 'key', baseUrl, dimensions, timeoutMs: 5_000 }),
    batches: 2,
  },
];

describe.each(providers)('embeddings of $name', ({ start, make, batches }) => {
  let server: ModelServer;
  beforeAll(async () => {
    server = await start();
  });
  afterAll(() => server.close());
  beforeEach(() => {
    server.requests.length = 0;
  });

  it('have length 1 and the order of the texts, over several batches', async () => {
    const model = make(server.url, 256);
    const texts = Array.from({ length: 210 }, (_, index) => `passage number ${index}`);
    const progress: number[] = [];
    const vectors = await model.embedPassages(texts, { onProgress: (done) => progress.push(done) });
    expect(vectors).toHaveLength(210);
    expect(server.requests).toHaveLength(batches);
    expect(progress.at(-1)).toBe(210);
    const query = await model.embedQuery('passage number 207');
    expect(query).toHaveLength(256);
    expect(Math.hypot(...query)).toBeCloseTo(1, 4);
    expect([...query]).toEqual([...(vectors[207] ?? [])]);
  });

  it('end when the caller or the owner says so', async () => {
    const model = make(server.url, 64);
    await expect(model.embedQuery('x', { signal: AbortSignal.abort() })).rejects.toMatchObject({ kind: 'aborted' });
    await model.close();
    await expect(model.embedPassages(['x'])).rejects.toMatchObject({ kind: 'aborted' });
  });
});

describe('embeddings of another size than configured', () => {
  it('are refused, so that two indexes never mix', async () => {
    const server = await startOpenAiServer();
    const model = makeOpenAiEmbeddings({ baseUrl: server.url, model: 'nomic-embed-text', dimensions: 768 });
    await expect(model.embedQuery('text')).rejects.toMatchObject({
      kind: 'malformed',
      message: expect.stringContaining('1536 numbers where 768 belong'),
    });
    await server.close();
  });
});

describe('the configured embeddings', () => {
  it('name the variable that is missing', () => {
    expect(() => makeEmbeddings({ provider: 'gemini', threads: 1 })).toThrow('GOOGLE_API_KEY');
    expect(() => makeEmbeddings({ provider: 'openai', threads: 1 })).toThrow('OPENAI_API_KEY');
  });

  it('carry model and size in their name', () => {
    const model = makeEmbeddings({
      provider: 'openai',
      threads: 1,
      openai: { baseUrl: 'http://x/v1', model: 'nomic/embed', dimensions: 768 },
    });
    expect([model.name, model.dimensions]).toEqual(['nomic-embed-768', 768]);
  });
});
