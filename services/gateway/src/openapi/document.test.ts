import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { problemCatalogue } from '@sidestage/contracts';
import { z } from 'zod';
import { startTestGateway, type TestGateway } from '../testing/test-gateway.js';
import { makeDocument, operations } from './document.js';
import { healthOperations } from './health-operations.js';

describe('the API document', () => {
  test('names every route of the public contract', () => {
    const named = operations.map(({ method, path }) => `${method} ${path}`);
    expect(new Set(named).size).toBe(named.length);
    for (const one of [
      'post /api/v1/chat',
      'get /api/v1/messages/{id}/events',
      'post /api/v1/auth/refresh',
      'put /api/v1/admin/tenants/{id}/policy',
      'get /api/v1/sources/{id}/transcript',
      'post /chat/session',
      'post /api/v2/chat/message',
    ])
      expect(named).toContain(one);
  });

  test('is made of the schemas that validate, each operation with its problems', () => {
    const document = JSON.parse(JSON.stringify(makeDocument()));
    expect(document.openapi).toBe('3.1.0');
    const chat = document.paths['/api/v1/chat'].post;
    expect(chat.requestBody.content['application/json'].schema.properties.message.maxLength).toBe(8000);
    expect(chat.responses['429'].content['application/problem+json'].schema.$ref).toBe('#/components/schemas/Problem');
    expect(Object.keys(chat.responses['200'].content)).toEqual(['application/json', 'text/event-stream']);
    expect(JSON.stringify(document)).not.toContain('undefined');
    expect(document.paths['/api/v1/auth/guest'].post.requestBody.required).toBe(false);
    // What a plain refinement checks JSON Schema would not say.
    expect(chat.requestBody.content['application/json'].schema.properties.message).toMatchObject({
      minLength: 1,
      pattern: expect.any(String),
    });
    expect(
      document.paths['/api/v1/creators'].post.requestBody.content['application/json'].schema.properties,
    ).toMatchObject({ avatar_url: { format: 'uri' }, name: { minLength: 1, maxLength: 120 } });
  });
});

describe('the routes', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway();
  });
  afterAll(() => gateway.close());

  test('answer health as the schemas say, and nothing beside', async () => {
    for (const { path, answers } of healthOperations) {
      const { status, body } = await gateway.call<unknown>('GET', path);
      const schema = answers.find((answer) => answer.status === status)?.schema;
      if (!(schema instanceof z.ZodObject)) expect(path).toBe('/metrics');
      else expect(schema.strict().parse(body)).toEqual(body);
    }
  });

  test('serve exactly the methods the document names', async () => {
    const document = JSON.parse(JSON.stringify(makeDocument()));
    for (const [path, item] of Object.entries<Record<string, unknown>>(document.paths)) {
      const { status, headers } = await gateway.call('OPTIONS', path.replace(/\{\w+\}/g, 'x'));
      const served = (headers.get('allow') ?? '').split(', ').filter((method) => !/^(HEAD|OPTIONS)$/.test(method));
      const named = Object.keys(item).map((method) => method.toUpperCase());
      expect({ path, status, methods: served.sort() }).toEqual({ path, status: 204, methods: named.sort() });
    }
  });
});

describe('docs/errors.md', () => {
  test('lists exactly the codes, statuses and titles of the catalogue', () => {
    const text = readFileSync(new URL('../../../../docs/errors.md', import.meta.url), 'utf8');
    const rows = [...text.matchAll(/^\| <a id="(\w+)"><\/a>`(\w+)` \| (\d{3}) \| ([^|]+) \|/gm)];
    const listed = Object.fromEntries(
      rows.map(([, , code, status, title]) => [code, { status: Number(status), title }]),
    );
    expect(listed).toEqual(problemCatalogue);
    for (const [, anchor, code] of rows) expect(anchor).toBe(code);
  });
});
