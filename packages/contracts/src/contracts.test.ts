import { describe, expect, it } from '@jest/globals';
import {
  applyPolicy,
  chatBody,
  citationUrl,
  creatorBody,
  defaultPolicy,
  ProblemError,
  parseOrProblem,
  policyPatchSchema,
  sourceBody,
  videoKey,
} from './index.js';

function problemOf(run: () => unknown): ProblemError {
  try {
    run();
  } catch (error) {
    if (error instanceof ProblemError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('what comes in', () => {
  it('names each bad field of a chat body with what is allowed', () => {
    const problem = problemOf(() => parseOrProblem(chatBody, { message: 7, creator_id: 'a b', video_url: 'ftp://x' }));
    expect(problem.status).toBe(422);
    expect(problem.options.errors?.map((error) => error.path)).toEqual(['message', 'creator_id', 'video_url']);
  });

  it.each([
    ['a NUL', 'hi\u0000'],
    ['a lone surrogate', 'hi \ud800'],
    ['white space only', ' \n '],
    ['too many characters', 'x'.repeat(8001)],
  ])('refuses a message with %s', (_what, message) => {
    expect(problemOf(() => parseOrProblem(chatBody, { message, creator_id: 'c' })).options.errors?.[0]?.path).toBe(
      'message',
    );
  });

  it('takes the longest message and an emoji made of a surrogate pair', () => {
    expect(parseOrProblem(chatBody, { message: `${'x'.repeat(7998)}🎸`, creator_id: 'c' }).message).toHaveLength(8000);
  });

  it('takes a PDF as base64 only, text with its format, an address without either', () => {
    const named = { title: 't', kind: 'file', url: 'https://example.org/a' };
    const pathOf = (body: object) => problemOf(() => parseOrProblem(sourceBody, body)).options.errors?.[0]?.path;
    expect(pathOf({ ...named, format: 'pdf', content: 'x' })).toBe('content');
    expect(pathOf({ ...named, format: 'pdf', content: btoa('no PDF at all') })).toBe('content');
    expect(pathOf({ ...named, content: 'words' })).toBe('format');
    expect(pathOf({ ...named, url: undefined })).toBe('content');
    expect(parseOrProblem(sourceBody, { ...named, format: 'pdf', content: btoa('%PDF-1.7') }).format).toBe('pdf');
    expect(parseOrProblem(sourceBody, named).content).toBeUndefined();
  });

  it.each([
    ['https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=42s', 'https://youtu.be/dQw4w9WgXcQ?si=x', true],
    ['https://m.youtube.com/shorts/dQw4w9WgXcQ', 'https://www.youtube.com/embed/dQw4w9WgXcQ?start=3', true],
    ['https://youtu.be/dQw4w9WgXcQ', 'https://youtu.be/aaaaaaaaaaa', false],
    ['https://www.ada.example/talks/one/?utm_source=x#t=9', 'http://ada.example/talks/one', true],
    ['https://ada.example/v?id=1', 'https://ada.example/v?id=2', false],
    ['https://ada.example/one', 'https://ada.example:8443/one', false],
  ])('knows whether %s and %s are one video', (a, b, same) => {
    expect(videoKey(a) === videoKey(b)).toBe(same);
  });

  it('refuses slugs that would not survive in an address', () => {
    for (const slug of ['-a', 'a-', 'A', 'a/b', '']) {
      expect(problemOf(() => parseOrProblem(creatorBody, { name: 'n', slug })).options.errors?.[0]?.path).toBe('slug');
    }
  });

  it('takes a policy that names a part, and refuses unknown names', () => {
    const policy = applyPolicy(
      defaultPolicy,
      parseOrProblem(policyPatchSchema, { tiers: { free: { per_minute: 3 } } }),
    );
    expect(policy.tiers.free).toEqual({ ...defaultPolicy.tiers.free, per_minute: 3 });
    expect(policy.tenant).toEqual(defaultPolicy.tenant);
    expect(problemOf(() => parseOrProblem(policyPatchSchema, { tiers: { gold: {} } })).status).toBe(422);
  });
});

describe('where a citation leads', () => {
  const web = 'http://localhost:3000/';
  it.each([
    [
      'a YouTube video opens at the second',
      'https://www.youtube.com/watch?v=abc',
      'video',
      61.7,
      'https://www.youtube.com/watch?v=abc&t=61s',
    ],
    ['a short YouTube address too', 'https://youtu.be/abc?t=9', 'video', 61, 'https://youtu.be/abc?t=61s'],
    [
      'beside what else the address says',
      'https://m.youtube.com/watch?list=PL1&v=abc&time_continue=4#t=30s',
      'podcast',
      61,
      'https://m.youtube.com/watch?list=PL1&v=abc&t=61s',
    ],
    ['a short', 'https://youtube.com/shorts/abc', 'video', 9.9, 'https://youtube.com/shorts/abc?t=9s'],
    ['a stream', 'https://www.youtube.com/live/abc?si=x', 'video', 0, 'https://www.youtube.com/live/abc?si=x&t=0s'],
    [
      'an embedded player becomes its video’s page',
      'https://www.youtube-nocookie.com/embed/a-b_c?start=4',
      'video',
      61,
      'https://www.youtube.com/watch?v=a-b_c&t=61s',
    ],
    [
      'a host that only ends like YouTube is other media',
      'https://notyoutube.com/v',
      'video',
      5,
      'https://notyoutube.com/v#t=5',
    ],
    ['Vimeo gets a fragment', 'https://vimeo.com/76979871', 'video', 61.7, 'https://vimeo.com/76979871#t=61'],
    ['other media get a media fragment', 'https://example.com/e.mp3', 'podcast', 5, 'https://example.com/e.mp3#t=5'],
    [
      'in place of a fragment that was there, after the query',
      'https://example.com/e.mp3?k=v#t=90,95',
      'file',
      5,
      'https://example.com/e.mp3?k=v#t=5',
    ],
    ['an article keeps its address', 'https://example.com/a', 'article', 5, 'https://example.com/a'],
    ['and its fragment', 'https://example.com/a#part-2', 'article', 5, 'https://example.com/a#part-2'],
    [
      'a source without seconds keeps its address',
      'https://example.com/e.mp3',
      'podcast',
      null,
      'https://example.com/e.mp3',
    ],
    [
      'a source without an address opens our transcript page',
      null,
      'video',
      61.7,
      'http://localhost:3000/watch/s1?t=61',
    ],
    ['also where it has no seconds', null, 'article', null, 'http://localhost:3000/watch/s1'],
    ['an article of ours with seconds opens there too', null, 'article', 5, 'http://localhost:3000/watch/s1?t=5'],
  ] as const)('%s', (_what, url, kind, second, expected) => {
    expect(citationUrl({ id: 's1', url, kind }, second, web)).toBe(expected);
  });
});

describe('a problem', () => {
  it('keeps its cause from the client', () => {
    const problem = new ProblemError('internal', { cause: new Error('password=hunter2') });
    expect(JSON.stringify(problem.toProblem('r1'))).not.toContain('hunter2');
  });
});
