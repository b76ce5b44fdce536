import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { findFreePort } from '@sidestage/embedded';
import { type RunningWeb, runWeb } from './run.js';

const folder = mkdtempSync(join(tmpdir(), 'sidestage-page-'));
let web: RunningWeb;
const get = (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${web.port}${path}`, init);

beforeAll(async () => {
  mkdirSync(join(folder, 'assets'));
  writeFileSync(join(folder, 'index.html'), '<!doctype html><title>Sidestage</title>');
  writeFileSync(join(folder, 'assets', 'page-1234.js'), 'export {};');
  writeFileSync(join(folder, 'assets', 'page-1234.js.gz'), gzipSync('export {};'));
  const env = {
    PORT: String(await findFreePort()),
    PUBLIC_GATEWAY_URL: 'https://api.example.org/',
    LOG_LEVEL: 'ERROR',
  };
  web = await runWeb(env, folder);
});
afterAll(async () => {
  await web.lifecycle.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('the web service', () => {
  it('answers every address of the page with the page, to be asked for again', async () => {
    for (const path of ['/', '/c/marta-okkonen', '/c/marta-okkonen/0190', '/watch/0190?t=75']) {
      const response = await get(path);
      expect([response.status, response.headers.get('Cache-Control')]).toEqual([200, 'no-cache']);
      expect(await response.text()).toContain('Sidestage');
    }
  });

  it('keeps hashed files for good and sends them compressed', async () => {
    const response = await get('/assets/page-1234.js', { headers: { 'Accept-Encoding': 'gzip' } });
    expect(response.headers.get('Cache-Control')).toBe('public, max-age=31536000, immutable');
    expect(response.headers.get('Content-Encoding')).toBe('gzip');
    expect(await response.text()).toBe('export {};');
  });

  it('says 404 for a missing file instead of the page', async () => {
    const response = await get('/assets/gone-1.js');
    expect([response.status, response.headers.get('Content-Type')]).toEqual([404, 'application/problem+json']);
  });

  it('does not serve what lies outside its folder', async () => {
    const response = await get('/..%2f..%2fetc/passwd');
    expect(await response.text()).not.toContain('root:');
  });

  it('tells the page where the gateway is, and lets it talk to that and YouTube only', async () => {
    expect(await (await get('/config.json')).json()).toEqual({ gateway_url: 'https://api.example.org' });
    const policy = (await get('/')).headers.get('Content-Security-Policy') ?? '';
    expect(policy).toContain("connect-src 'self' https://api.example.org wss://api.example.org");
    expect(policy).toContain("script-src 'self';");
    expect(policy).toContain('frame-src https://www.youtube-nocookie.com https://www.youtube.com');
  });

  it('leads /chatbot to the page', async () => {
    const response = await get('/chatbot', { redirect: 'manual' });
    expect([response.status, response.headers.get('Location')]).toEqual([302, '/']);
  });

  it('has the routes every service has', async () => {
    expect(await (await get('/health')).json()).toMatchObject({ status: 'ok', service: 'web' });
    for (const path of ['/health/live', '/health/ready', '/info']) expect((await get(path)).status).toBe(200);
    expect(await (await get('/metrics')).text()).toContain('http_request_duration_seconds');
  });

  it('refuses to start without a built page, and says what to run', async () => {
    await expect(runWeb({ PORT: '1' }, join(folder, 'assets'))).rejects.toThrow('pnpm --filter @sidestage/web build');
  });
});
