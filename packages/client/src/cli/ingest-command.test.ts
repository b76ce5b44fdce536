import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ProblemError, type SourceView } from '@sidestage/contracts';
import { runCli } from './cli.js';
import { readEnvironment } from './config.js';
import { makePace, progressLine } from './ingest/progress.js';
import { makeStatusLine } from './status-line.js';

const creator = {
  id: 'c1',
  slug: 'ada',
  name: 'Ada',
  description: '',
  persona: '',
  language: 'en',
  public: true,
  avatar_url: null,
  questions: [],
  sources_ready: 0,
  created_at: '2026-11-22T00:00:00.000Z',
};
type Sent = Record<string, string>;

/** Takes sources as the gateway does; each is ready the second time it is looked at. */
async function startGateway() {
  const sources = new Map<string, SourceView & { looks: number }>();
  const sent: { method: string; id: string; fields: Sent }[] = [];
  const state = { failing: '', refusing: '' };

  async function take(request: IncomingMessage, id: string | undefined): Promise<{ status: number; body: unknown }> {
    const form = await new Response(streamOf(request), {
      headers: { 'content-type': request.headers['content-type'] ?? '' },
    }).formData();
    const file = form.get('file') as File;
    const bytes = Buffer.from(await file.arrayBuffer());
    const fields = Object.fromEntries([...form].filter(([, value]) => typeof value === 'string')) as Sent;
    if (state.refusing === fields.title)
      return {
        status: 422,
        body: new ProblemError('validation_failed', { detail: 'file: must be text in UTF-8' }).toProblem(),
      };
    const known = id === undefined ? undefined : sources.get(id);
    const source = {
      id: known?.id ?? `s${sources.size + 1}`,
      creator_id: creator.id,
      title: fields.title ?? '',
      kind: (fields.kind ?? 'article') as SourceView['kind'],
      url: fields.url ?? null,
      published_at: null,
      format: fields.format as SourceView['format'],
      status: 'queued' as const,
      progress: 0,
      passages: 0,
      error: null,
      content_sha256: createHash('sha256').update(new TextDecoder().decode(bytes)).digest('hex'),
      created_at: creator.created_at,
      looks: 0,
    };
    sources.set(source.id, source);
    sent.push({ method: request.method ?? '', id: source.id, fields });
    return { status: 202, body: source };
  }

  function list() {
    for (const source of sources.values()) {
      source.looks += 1;
      if (source.status !== 'queued' || source.looks < 2) continue;
      const fails = state.failing === source.title;
      Object.assign(
        source,
        fails ? { status: 'failed', error: 'no text was found' } : { status: 'ready', progress: 1, passages: 12 },
      );
    }
    return { items: [...sources.values()], next_cursor: null };
  }

  const server = createServer(async (request, response) => {
    const [, creatorName, id] =
      /^\/api\/v1\/creators\/([^/?]+)(?:\/sources(?:\/([^/?]+))?)?/.exec(request.url ?? '') ?? [];
    const answer =
      creatorName !== 'ada' && creatorName !== 'c1'
        ? { status: 404, body: new ProblemError('not_found', { detail: 'There is no such creator.' }).toProblem() }
        : request.method !== 'GET'
          ? await take(request, id)
          : { status: 200, body: request.url?.includes('/sources') ? list() : creator };
    response.writeHead(answer.status, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer.body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, sent, state, close: () => new Promise((resolve) => server.close(resolve)) };
}

function streamOf(request: IncomingMessage): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async start(controller) {
      for await (const chunk of request) controller.enqueue(chunk as Uint8Array);
      controller.close();
    },
  });
}

let gateway: Awaited<ReturnType<typeof startGateway>>;
let folder: string;
beforeEach(async () => {
  gateway = await startGateway();
  folder = mkdtempSync(join(tmpdir(), 'sidestage-ingest-'));
});
afterEach(async () => {
  await gateway.close();
  rmSync(folder, { recursive: true });
});

function write(path: string, content: string | Buffer): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), content);
}

async function run(...line: string[]) {
  const out: string[] = [];
  const errors: string[] = [];
  const states: (string | null)[] = [];
  const code = await runCli(['ingest', ...line], {
    environment: readEnvironment({ SIDESTAGE_URL: gateway.url, SIDESTAGE_TOKEN: 'sk_test' }),
    folder,
    print: (text) => out.push(text),
    warn: (text) => errors.push(text),
    status: (text) => states.push(text),
  });
  return { code, out: out.join('\n'), errors: errors.join('\n'), states };
}

describe('sidestage ingest', () => {
  test('makes each file of a folder a source, named by its file, and says how far it is', async () => {
    write('On bread.md', '# Bread');
    write('season 1/two.vtt', 'WEBVTT\n');
    write('.git/config.txt', 'hidden');
    write('cover.png', 'x');
    write('empty.txt', '');
    const { code, out, errors, states } = await run('ada', '.', '--base-url', 'https://ada.example/talks/');
    expect({ code, out }).toEqual({
      code: 0,
      out: expect.stringMatching(/^Ada: 2 ready with 24 passages, in \d+ s\.$/),
    });
    expect(gateway.sent.map(({ method, fields }) => [method, fields])).toEqual(
      expect.arrayContaining([
        ['POST', { title: 'On bread', format: 'markdown', url: 'https://ada.example/talks/On%20bread' }],
        ['POST', { title: 'two', format: 'vtt', url: 'https://ada.example/talks/season%201/two' }],
      ]),
    );
    expect(gateway.sent).toHaveLength(2);
    expect(errors.split('\n').toSorted()).toEqual([
      'left out: cover.png: its ending says nothing that can be read',
      'left out: empty.txt: it is empty',
    ]);
    expect(states.find((line) => line?.includes('2 of 2 ready, 24 passages'))).toContain('100 %');
    expect(states.at(-1)).toBeNull();
  });

  test('run again sends only what has changed, in place of what was there', async () => {
    write('one.txt', 'one');
    write('two.txt', '\ufefftwo');
    await run('ada', '.');
    write('two.txt', 'two, changed');
    write('three.txt', 'three');
    const { out } = await run('ada', '.');
    expect(out).toMatch(/^Ada: 2 ready with 24 passages, 1 unchanged, in/);
    // Several are on their way at once.
    const again = gateway.sent.slice(2).map(({ method, fields }) => `${method} ${fields.title}`);
    expect(again.toSorted()).toEqual(['POST three', 'PUT two']);
  });

  test('keeps two files of one name apart, also when it is run again', async () => {
    write('a/intro.txt', 'one');
    write('b/intro.txt', 'two');
    await run('ada', '.');
    write('b/intro.txt', 'two, changed');
    await run('ada', '.');
    expect(gateway.sent.map(({ method, fields }) => `${method} ${fields.title}`).toSorted()).toEqual([
      'POST a/intro.txt',
      'POST b/intro.txt',
      'PUT b/intro.txt',
    ]);
  });

  test('takes title and address from the name yt-dlp gave a video’s captions', async () => {
    write('Why bread rises [dQw4w9WgXcQ].en.vtt', 'WEBVTT\n');
    await run('ada', '.', '--kind', 'video');
    expect(gateway.sent[0]?.fields).toEqual({
      title: 'Why bread rises',
      format: 'vtt',
      kind: 'video',
      url: 'https://www.youtube.com/watch?v=dQw4w9WgXcQ',
    });
  });

  test('names each file that failed, and goes on with the others', async () => {
    for (const name of ['bad', 'good', 'odd']) write(`${name}.txt`, name);
    Object.assign(gateway.state, { failing: 'bad', refusing: 'odd' });
    const { code, out, errors } = await run('ada', '.');
    expect(code).toBe(1);
    expect(out).toMatch(/^Ada: 1 ready with 12 passages, 2 failed, in/);
    expect(errors).toBe('failed: bad.txt: no text was found\nfailed: odd.txt: file: must be text in UTF-8');
  });

  test('says what is wrong with the line, the folder or the creator', async () => {
    write('one.txt', 'one');
    const tries: [string[], number, RegExp][] = [
      [['ada'], 2, /takes a creator \(id or slug\) and a folder/],
      [['ada', 'nowhere'], 2, /nowhere is no folder/],
      [['ada', '.', '--base-url', 'example.org'], 2, /must be an http or https address/],
      [['ada', '.', '--kind', 'song'], 2, /--kind must be one of video, podcast, article, file, not "song"/],
      [['bob', '.'], 1, /There is no such creator/],
    ];
    for (const [line, code, words] of tries) {
      const told = await run(...line);
      expect(told.code).toBe(code);
      expect(told.errors).toMatch(words);
    }
  });
});

test('the time left is told from the pace of the last half minute', () => {
  const pace = makePace();
  expect(pace(0, 0)).toBeNull();
  expect(pace(0.1, 10_000)).toBe(90_000);
  expect(pace(0.1, 45_000)).toBeNull();
  expect(pace(0.2, 50_000)).toBeGreaterThan(300_000);
  const half = { bytes: 10, source: { status: 'ingesting' as const, progress: 0.5, passages: 0 } };
  expect(progressLine([half, { bytes: 30, source: null }], 61_000)).toBe(
    `[███${'░'.repeat(21)}] 12 %  0 of 2 ready, 0 passages, about 1 min 1 s to go`,
  );
});

test('a status line is written over in a terminal and said now and then elsewhere', () => {
  const written: string[] = [];
  let now = 0;
  const output = { isTTY: true, columns: 10, write: (text: string) => written.push(text) };
  const terminal = makeStatusLine(output, () => now);
  for (const line of ['one', 'a line too long for it', null, null]) terminal(line);
  expect(written.splice(0)).toEqual(['\r\x1b[2Kone', '\r\x1b[2Ka line to', '\r\x1b[2K']);
  const plain = makeStatusLine({ ...output, isTTY: false }, () => now);
  for (const [at, line] of [
    [0, 'one'],
    [9_000, 'two'],
    [10_000, 'three'],
    [10_001, null],
  ] as const) {
    now = at;
    plain(line);
  }
  expect(written).toEqual(['one\n', 'three\n']);
});
