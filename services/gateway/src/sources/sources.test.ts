import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { SourceView } from '@sidestage/contracts';
import { waitFor } from '@sidestage/testkit';
import { queuePrefix } from '@sidestage/turns';
import { Redis } from 'ioredis';
import { startTestGateway, type TestGateway } from '../testing/test-gateway.js';
import type { ProblemView } from '../testing/wire.js';

let gateway: TestGateway;
let redis: Redis;
let sources: string;
let token: string;
beforeAll(async () => {
  gateway = await startTestGateway();
  redis = new Redis(gateway.redis.url);
  redis.on('error', () => undefined);
  token = gateway.home.key;
  const { body } = await gateway.call<{ id: string }>('POST', '/api/v1/creators', { token, body: { name: 'Ada' } });
  sources = `/api/v1/creators/${body.id}/sources`;
});
afterAll(async () => {
  redis.disconnect();
  await gateway.close();
});

const article = { title: 'One', kind: 'article', format: 'text', content: 'Some words.' };
const jobOf = (id: string, version: number) => redis.hgetall(`${queuePrefix}:ingest:${id}-${version}`);
const contentOf = async (id: string) =>
  (
    await gateway.database.query<{ content: string }>('SELECT content FROM source_contents WHERE source_id = $1', [id])
  )[0]?.content;

function form(name: string, content: string | Buffer, fields: Record<string, string> = {}): FormData {
  const data = new FormData();
  for (const [key, value] of Object.entries(fields)) data.set(key, value);
  data.set('file', new Blob([content]), name);
  return data;
}

describe('a source', () => {
  test('is accepted, kept and put into the queue by its id and version', async () => {
    const made = await gateway.call<SourceView>('POST', sources, { token, body: article });
    expect(made.status).toBe(202);
    expect(made.body).toMatchObject({ status: 'queued', title: 'One', passages: 0, error: null });
    expect(made.headers.get('location')).toBe(`/api/v1/sources/${made.body.id}`);
    expect(await contentOf(made.body.id)).toBe('Some words.');
    const job = await jobOf(made.body.id, 1);
    expect(JSON.parse(job.data ?? '{}')).toEqual({
      v: 1,
      tenant_id: gateway.home.tenantId,
      source_id: made.body.id,
      content_version: 1,
      request_id: made.headers.get('x-request-id'),
    });
  });

  test('takes title, kind and format from an uploaded file’s name', async () => {
    const made = await gateway.call<SourceView>('POST', sources, { token, raw: form('Zoë on bread.vtt', 'WEBVTT\n') });
    expect(made.status).toBe(202);
    expect(made.body).toMatchObject({ title: 'Zoë on bread', kind: 'video', format: 'vtt' });
    const named = await gateway.call<SourceView>('POST', sources, {
      token,
      raw: form('x.txt', 'Words.', { title: 'Named', kind: 'podcast', format: 'markdown' }),
    });
    expect(named.body).toMatchObject({ title: 'Named', kind: 'podcast', format: 'markdown' });
  });

  test('of an unknown kind, a PDF that is none, bytes that are no text, or no file at all is refused by field', async () => {
    const tries: [FormData, string][] = [
      [form('a.pdf', 'no PDF'), 'file'],
      [form('a.bin', 'what'), 'format'],
      [form('a.txt', Buffer.from([0xff, 0xfe, 0x00])), 'file'],
      [form('a.txt', 'a\u0000b'), 'content'],
      [form('a.txt', 'words', { url: 'javascript:alert(1)' }), 'url'],
      [new FormData(), 'file'],
    ];
    for (const [raw, path] of tries) {
      if (path === 'file' && !raw.has('file')) raw.set('title', 'x');
      const answer = await gateway.call<ProblemView>('POST', sources, { token, raw });
      expect({ status: answer.status, path: answer.body.errors?.[0]?.path }).toEqual({ status: 422, path });
    }
    const pdf = await gateway.call<ProblemView>('POST', sources, { token, body: { ...article, format: 'pdf' } });
    expect(pdf.status).toBe(422);
    expect(pdf.body.errors?.[0]).toEqual({ path: 'content', message: 'must be a PDF file in base64' });
  });

  test('that is a PDF keeps its bytes, as a file and as base64 in JSON', async () => {
    const bytes = Buffer.from('%PDF-1.7\n\xff\x00', 'latin1');
    const content = bytes.toString('base64');
    const file = await gateway.call<SourceView>('POST', sources, { token, raw: form('Loaves.pdf', bytes) });
    expect(file.body).toMatchObject({ title: 'Loaves', kind: 'file', format: 'pdf', status: 'queued' });
    const json = await gateway.call<SourceView>('POST', sources, {
      token,
      body: { ...article, format: 'pdf', content },
    });
    expect(json.status).toBe(202);
    for (const { body } of [file, json]) expect(await contentOf(body.id)).toBe(content);
  });

  test('without content has its address fetched; without either it is refused', async () => {
    const url = 'https://example.org/bread';
    const { content: _, format: __, ...named } = article;
    const made = await gateway.call<SourceView>('POST', sources, { token, body: { ...named, url } });
    expect(made.status).toBe(202);
    expect(made.body).toMatchObject({ status: 'queued', url });
    expect(await contentOf(made.body.id)).toBeUndefined();
    for (const [body, path] of [
      [named, 'content'],
      [{ ...named, content: 'Words.' }, 'format'],
    ] as const) {
      const refused = await gateway.call<ProblemView>('POST', sources, { token, body });
      expect([refused.status, refused.body.errors?.[0]?.path]).toEqual([422, path]);
    }
  });

  test('is fetched again when it is replaced by nothing, where it has an address', async () => {
    const url = 'https://example.org/bread';
    const { body } = await gateway.call<SourceView>('POST', sources, { token, body: { ...article, url } });
    const again = await gateway.call<SourceView>('PUT', `${sources}/${body.id}`, { token, body: {} });
    expect(again.status).toBe(202);
    expect(await contentOf(body.id)).toBeUndefined();
    expect(JSON.parse((await jobOf(body.id, 2)).data ?? '{}')).toMatchObject({ content_version: 2 });
    const without = await gateway.call<SourceView>('POST', sources, { token, body: article });
    const refused = await gateway.call<ProblemView>('PUT', `${sources}/${without.body.id}`, { token, body: {} });
    expect([refused.status, refused.body.errors?.[0]?.path]).toEqual([422, 'content']);
    expect(await contentOf(without.body.id)).toBe('Some words.');
  });

  test('of 10 MiB is taken, one byte more is 413, as JSON and as a file', async () => {
    const most = 10 * 1024 * 1024;
    const content = 'word '.repeat(most / 5 + 1);
    const whole = await gateway.call('POST', sources, { token, body: { ...article, content: content.slice(0, most) } });
    expect(whole.status).toBe(202);
    const more = content.slice(0, most + 1);
    for (const options of [{ body: { ...article, content: more } }, { raw: form('a.txt', more) }]) {
      expect((await gateway.call('POST', sources, { token, ...options })).status).toBe(413);
    }
  });

  test('is replaced as the next version, and deleted with its content', async () => {
    const { body } = await gateway.call<SourceView>('POST', sources, { token, body: article });
    const replaced = await gateway.call<SourceView>('PUT', `${sources}/${body.id}`, {
      token,
      body: { content: 'New words.' },
    });
    expect(replaced.status).toBe(202);
    expect(replaced.body).toMatchObject({ title: 'One', status: 'queued' });
    expect(await contentOf(body.id)).toBe('New words.');
    expect(JSON.parse((await jobOf(body.id, 2)).data ?? '{}')).toMatchObject({ content_version: 2 });
    const versions = () => gateway.database.query('SELECT knowledge_version FROM creators');
    const before = await versions();
    expect((await gateway.call('DELETE', `${sources}/${body.id}`, { token })).status).toBe(204);
    expect(await versions()).not.toEqual(before);
    expect(await contentOf(body.id)).toBeUndefined();
    expect((await gateway.call('GET', `/api/v1/sources/${body.id}`, { token })).status).toBe(404);
  });

  test('is accepted while Redis is down and stays queued for the sweeper', async () => {
    await gateway.redis.kill();
    try {
      const made = await gateway.call<SourceView>('POST', sources, { token, body: article });
      expect(made.status).toBe(202);
      expect(made.body.status).toBe('queued');
      expect(await contentOf(made.body.id)).toBe('Some words.');
    } finally {
      await gateway.redis.restart();
      await waitFor(async () => {
        const { body } = await gateway.call<{ dependencies: { redis: { status: string } } }>('GET', '/health/detailed');
        return body.dependencies.redis.status === 'ok';
      });
    }
  });

  test('of a public creator shows its transcript to everybody, in order', async () => {
    const { body } = await gateway.call<SourceView>('POST', sources, { token, body: article });
    await gateway.database.query(
      `INSERT INTO segments (tenant_id, source_id, ordinal, start_seconds, end_seconds, speaker, text)
       VALUES ($1, $2, 1, 2.5, 4, 'Ada', 'second'), ($1, $2, 0, 0, 2.5, NULL, 'first')`,
      [gateway.home.tenantId, body.id],
    );
    const read = await gateway.call('GET', `/api/v1/sources/${body.id}/transcript`);
    expect(read.status).toBe(200);
    expect(read.body).toEqual({
      source_id: body.id,
      title: 'One',
      segments: [
        { start_seconds: 0, end_seconds: 2.5, text: 'first' },
        { start_seconds: 2.5, end_seconds: 4, speaker: 'Ada', text: 'second' },
      ],
    });
  });

  test('is listed page by page, each once', async () => {
    const seen: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const query: string = cursor ? `&cursor=${cursor}` : '';
      const page: { body: { items: SourceView[]; next_cursor: string | null } } = await gateway.call(
        'GET',
        `${sources}?limit=2${query}`,
        { token },
      );
      expect(page.body.items.length).toBeLessThanOrEqual(2);
      seen.push(...page.body.items.map((item) => item.id));
      cursor = page.body.next_cursor;
    }
    const rows = await gateway.database.query<{ id: string }>('SELECT id FROM sources ORDER BY created_at, id');
    expect(seen).toEqual(rows.map((row) => row.id));
  });
});

describe('a search', () => {
  test('says 503 and when to come back while retrieval is down', async () => {
    const path = sources.replace('/sources', '/search');
    const answer = await gateway.call<ProblemView>('POST', path, { token, body: { query: 'words' } });
    expect(answer.status).toBe(503);
    expect(answer.body.code).toBe('unavailable');
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
  });
});
