import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeLogger } from '@sidestage/runtime';
import { makeApiKey, makeApiKeyRepository, makeDatabase, makeTenantRepository } from '@sidestage/store';
import { makeTestDatabase, startFleet, type TestFleet, waitFor } from '@sidestage/testkit';
import { type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const require = createRequire(import.meta.url);
const root = join(import.meta.dirname, '..', '..', '..', '..');
const demo = join(root, 'demo', 'creators', 'marta-okkonen');
const axeSource = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
/** Ignored by git; the best of them is chosen by hand for the README. */
export const pictures = join(root, '.sidestage', 'screenshots');

const browserFlags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
/** Few, so that a test can use them up. */
export const messagesPerMinute = 4;

/** A whole fleet with the demo's baker on it, and a browser. */
export interface Stage {
  fleet: TestFleet;
  pageUrl: string;
  /** A browser of its own: somebody who has never been here. */
  visit(options?: BrowserContextOptions): Promise<Page>;
  /** What broke in the page's own script since it was last asked for. */
  takeFaults(): string[];
  close(): Promise<void>;
}

export async function setStage(): Promise<Stage> {
  const database = await makeTestDatabase();
  const profile = mkdtempSync(join(tmpdir(), 'sidestage-browser-'));
  mkdirSync(pictures, { recursive: true });
  const key = await makeTenant(database.url);
  const fleet = await startFleet({
    database,
    workers: 2,
    web: true,
    env: { AUTH_RATE_PER_MINUTE: '10000', ANON_RATE_PER_MINUTE: '10000' },
  });
  await bringBaker(fleet.gateways[0]?.url ?? '', key);
  const executablePath = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium';
  const browser = await chromium.launch({ executablePath, args: [...browserFlags, `--disk-cache-dir=${profile}`] });
  const contexts: BrowserContext[] = [];
  const faults: string[] = [];
  return {
    fleet,
    pageUrl: fleet.env.PUBLIC_WEB_URL ?? '',
    async visit(options = {}) {
      const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
      context.setDefaultTimeout(30_000);
      contexts.push(context);
      context.on('weberror', (fault) => faults.push(String(fault.error())));
      context.on('console', (line) => {
        // Refusals and cut lines are told by the browser itself, and belong to what is tried here.
        const told = /Failed to load resource|WebSocket connection to/.test(line.text());
        if (line.type() === 'error' && !told) faults.push(line.text());
      });
      return context.newPage();
    },
    takeFaults: () => faults.splice(0),
    async close() {
      await Promise.all(contexts.map((context) => context.close()));
      await browser.close();
      await fleet.stop();
      await database.drop();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}

async function makeTenant(url: string): Promise<string> {
  const logger = makeLogger({ service: 'stage', level: 'FATAL' });
  const store = makeDatabase({ url, max: 2, idleMs: 1000, waitMs: 5000, logger });
  try {
    const tenants = makeTenantRepository(store.engine);
    const { id: tenant_id } = await tenants.create({ name: 'Stage' });
    await tenants.setPolicyPatch(tenant_id, { tiers: { free: { per_minute: messagesPerMinute } } });
    const { key, hash, prefix } = makeApiKey();
    await makeApiKeyRepository(store).create({
      tenant_id,
      name: 'stage',
      tier: 'enterprise',
      hash,
      prefix,
      actor: 'test',
    });
    return key;
  } finally {
    await store.close();
  }
}

async function bringBaker(gatewayUrl: string, key: string): Promise<void> {
  const call = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const response = await fetch(`${gatewayUrl}/api/v1${path}`, {
      method,
      headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.json();
  };
  const read = (file: string) => readFileSync(join(demo, file), 'utf8');
  const creator = (await call('POST', '/creators', JSON.parse(read('creator.json')))) as { id: string };
  const sources = JSON.parse(read('sources.json')) as { file: string }[];
  for (const { file, ...source } of sources) {
    await call('POST', `/creators/${creator.id}/sources`, { ...source, content: read(file) });
  }
  await waitFor(
    async () => {
      const page = (await call('GET', `/creators/${creator.id}/sources?limit=100`)) as { items: { status: string }[] };
      return page.items.length === sources.length && page.items.every((source) => source.status === 'ready');
    },
    { timeoutMs: 60_000, what: 'the baker’s sources to be ready' },
  );
}

/** Nothing moves any more; what breathes for ever is left out. */
export async function atRest(page: Page): Promise<void> {
  await page.evaluate(async () => {
    await document.fonts.ready;
    const ending = document
      .getAnimations()
      .filter((animation) => Number.isFinite(Number(animation.effect?.getComputedTiming().endTime ?? 0)));
    await Promise.allSettled(ending.map((animation) => animation.finished));
  });
}

/** What axe finds at WCAG 2.2 AA, one line each. */
export async function accessibilityProblems(page: Page): Promise<string[]> {
  await atRest(page);
  // As an expression of the debugger: the page's own policy allows no foreign script.
  await page.evaluate(axeSource);
  return page.evaluate(async () => {
    const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
    const axe = (window as unknown as { axe: { run: (where: Document, options: object) => Promise<AxeResults> } }).axe;
    const { violations } = await axe.run(document, { runOnly: tags });
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(' ')).join(', ')}`);
  });
}
interface AxeResults {
  violations: { id: string; nodes: { target: string[] }[] }[];
}

/** Writes into the composer and sends. */
export async function say(page: Page, text: string): Promise<void> {
  const field = page.getByRole('textbox', { name: /Message to/ });
  await field.fill(text);
  await field.press('Enter');
}

/** The reply (from 0) once it is finished: its sources or its actions stand under it. */
export async function finishedReply(page: Page, index = 0): Promise<string> {
  const reply = page.locator('.reply[data-phase="completed"]').nth(index);
  await reply.waitFor();
  return (await reply.locator('.prose').textContent()) ?? '';
}

/** Waits for the `count`-th finished reply of the conversation in sight. */
export async function finishedReplies(page: Page, count: number): Promise<void> {
  await page.waitForFunction(
    (wanted) => document.querySelectorAll('.reply[data-phase="completed"]').length >= wanted,
    count,
  );
}

/** A finger on the middle of `selector` that goes `byPx` down in steps and lets go. */
export async function dragDown(page: Page, selector: string, byPx: number): Promise<void> {
  const box = await page.locator(selector).boundingBox();
  if (!box) throw new Error(`${selector} is not in sight`);
  const x = box.x + box.width / 2;
  const top = box.y + box.height / 2;
  const touch = await page.context().newCDPSession(page);
  const send = (type: 'touchStart' | 'touchMove' | 'touchEnd', y: number) =>
    touch.send('Input.dispatchTouchEvent', { type, touchPoints: type === 'touchEnd' ? [] : [{ x, y }] });
  await send('touchStart', top);
  for (let step = 1; step <= 8; step += 1) await send('touchMove', top + (byPx * step) / 8);
  // Held still at the end: a drag and not a flick.
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 50)));
  await send('touchMove', top + byPx);
  await send('touchEnd', top + byPx);
  await touch.detach();
}
