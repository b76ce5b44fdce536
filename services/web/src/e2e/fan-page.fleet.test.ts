import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  accessibilityProblems,
  finishedReply,
  messagesPerMinute,
  pictures,
  type Stage,
  say,
  setStage,
} from './stage.js';

const question = 'My Finnish rye came out gummy. What happened?';
let stage: Stage;

beforeAll(async () => {
  stage = await setStage();
}, 180_000);
afterEach(async () => {
  stage.fleet.model?.behave({});
  // A test that failed half way must not take the others with it.
  const parts = [...stage.fleet.gateways, ...stage.fleet.workers];
  await Promise.all(parts.filter((part) => !part.alive()).map((part) => part.start()));
});
afterAll(() => stage.close(), 60_000);

/** A new guest who has just pressed the first question of the first creator. */
async function visitAndPress(options = {}) {
  const page = await stage.visit(options);
  await page.goto(stage.pageUrl);
  await page.locator('.question').first().click();
  return page;
}
const openChat = async () => {
  const page = await stage.visit();
  await page.goto(`${stage.pageUrl}/c/marta-okkonen`);
  await page.locator('.introduction').waitFor();
  return page;
};

describe('the fan’s page', () => {
  it('answers a pressed question to a guest, with receipts that open the quoted words', async () => {
    const page = await visitAndPress();
    expect(await finishedReply(page)).toContain('You asked');
    expect(page.url()).toMatch(/\/c\/marta-okkonen\/[\w-]+$/);
    await page.locator('button.mark').first().click();
    const lit = page.locator('.source-panel mark').first();
    await lit.waitFor();
    expect((await lit.textContent())?.length).toBeGreaterThan(10);
    expect(await accessibilityProblems(page)).toEqual([]);
    await page.keyboard.press('Escape');
    expect(await page.locator('.source-panel').count()).toBe(0);
  }, 60_000);

  it('opens the address of a citation at the cited words, without a credential', async () => {
    const page = await visitAndPress();
    await finishedReply(page);
    await page.locator('.chip').first().click();
    const address = await page.getByRole('link', { name: 'Open at the source' }).getAttribute('href');
    const stranger = await stage.visit();
    await stranger.goto(address ?? '');
    await stranger.locator('.transcript').waitFor();
    if (/[?&]t=/.test(address ?? '')) expect(await stranger.locator('mark').count()).toBeGreaterThan(0);
    expect(await accessibilityProblems(stranger)).toEqual([]);
  }, 60_000);

  it('says it begins again when a worker dies, and brings the whole reply', async () => {
    stage.fleet.model?.behave({ reply: 'Rye needs time. '.repeat(40), tokenDelayMs: 60 });
    const page = await openChat();
    await say(page, question);
    await page.locator('.prose').first().waitFor();
    const busy = stage.fleet.workers.map((worker) => worker.kill());
    await Promise.all(busy);
    // The line that says so stands until the first new words: they must not come before anybody could look.
    stage.fleet.model?.behave({ reply: 'Rye needs time, whole.', firstTokenMs: 3000 });
    await Promise.all(stage.fleet.workers.map((worker) => worker.start()));
    await page.getByText('Starting this answer again', { exact: true }).waitFor();
    expect(await finishedReply(page)).toBe('Rye needs time, whole.');
  }, 90_000);

  it('goes on where it was after the gateway is gone and back, and sends what was written meanwhile once', async () => {
    stage.fleet.model?.behave({ reply: 'One two three four five. '.repeat(20), tokenDelayMs: 60 });
    const page = await openChat();
    await say(page, question);
    await page.locator('.prose').first().waitFor();
    await stage.fleet.gateways[0]?.kill();
    await page.getByText('Reconnecting.', { exact: false }).waitFor();
    await say(page, 'And while you were away?');
    await page.getByText('Waits for the connection').waitFor();
    expect(await accessibilityProblems(page)).toEqual([]);
    await stage.fleet.gateways[0]?.start();
    expect((await finishedReply(page)).match(/One two/g)).toHaveLength(20);
    await finishedReply(page, 1);
    expect(await page.getByText('And while you were away?', { exact: true }).count()).toBe(1);
  }, 90_000);

  it('counts down when the minute is used up, and gives the words back', async () => {
    stage.fleet.model?.behave({ reply: 'Short.' });
    const page = await openChat();
    for (let sent = 0; sent < messagesPerMinute; sent += 1) {
      await say(page, `Question ${sent}`);
      await page.locator('.reply[data-phase="completed"]').last().waitFor();
      await page.waitForFunction((count) => document.querySelectorAll('.tick').length >= Math.min(count, 3), sent + 1);
    }
    await page.waitForFunction(() => document.querySelector('.reply:not([data-phase="completed"])') === null);
    await say(page, 'One too many');
    const notice = page.locator('.limit-notice');
    await notice.waitFor();
    expect(await notice.textContent()).toMatch(/4 of 4 this minute\. Next message in [\s\S]*\d\d:\d\d/);
    expect(await page.getByRole('textbox', { name: /Message to/ }).inputValue()).toBe('One too many');
    expect(await accessibilityProblems(page)).toEqual([]);
  }, 90_000);

  it('stops a reply with Esc, and asks again', async () => {
    stage.fleet.model?.behave({ reply: 'Slow words. '.repeat(60), tokenDelayMs: 80 });
    const page = await openChat();
    await say(page, question);
    await page.locator('.prose').first().waitFor();
    await page.keyboard.press('Escape');
    await page.getByText('Stopped here.').waitFor();
    stage.fleet.model?.behave({ reply: 'Quick words.' });
    await page.getByRole('button', { name: 'Ask again' }).click();
    expect(await finishedReply(page)).toBe('Quick words.');
  }, 60_000);

  it('tells of a block and of a reply without material in a fan’s words', async () => {
    stage.fleet.model?.next({ block: 'prompt' });
    const page = await openChat();
    await say(page, question);
    await page.getByText('does not go into this', { exact: false }).waitFor();
    stage.fleet.model?.next({ reply: 'I have never spoken about that.' });
    await say(page, 'What is the capital of Peru?');
    await page.locator('.aside', { hasText: 'Not from the creator’s own material.' }).waitFor();
    await page.locator('.nearby .question').first().waitFor();
    expect(await accessibilityProblems(page)).toEqual([]);
  }, 60_000);

  it('shows one conversation live on two devices, and keeps it for the account a guest makes', async () => {
    const page = await visitAndPress();
    await finishedReply(page);
    const other = await page.context().newPage();
    await other.goto(page.url());
    await finishedReply(other);
    await say(page, 'And with a hotter oven?');
    expect(await finishedReply(other, 1)).toContain('hotter oven');
    await other.close();
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await page.getByRole('button', { name: 'Make an account' }).click();
    await page.getByLabel('E-mail').fill(`fan-${Date.now()}@example.org`);
    await page.getByLabel('Password').fill('a long enough password');
    expect(await accessibilityProblems(page)).toEqual([]);
    await page.getByRole('button', { name: 'Make the account' }).click();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await page.reload();
    expect(await finishedReply(page, 1)).toContain('hotter oven');
    await page.getByLabel('Good reply').last().click();
    await page.getByLabel('Delete this conversation').click();
    await page.getByRole('button', { name: 'Delete', exact: true }).click();
    await page.locator('.introduction').waitFor();
    await page.waitForFunction(() => document.querySelectorAll('.row-dot').length === 0);
  }, 90_000);

  it('reads replies over SSE where sockets do not get through', async () => {
    const page = await stage.visit();
    await page.routeWebSocket(/\/ws\//, (socket) => socket.close());
    await page.goto(stage.pageUrl);
    await page.locator('.question').first().click();
    expect(await finishedReply(page)).toContain('You asked');
  }, 60_000);

  for (const width of [360, 768, 1280]) {
    for (const colorScheme of ['light', 'dark'] as const) {
      it(`stands at ${width} px in ${colorScheme}, pleases axe, and is written to a picture`, async () => {
        const height = width === 360 ? 740 : width === 768 ? 1024 : 800;
        const touch = width < 1000;
        const page = await stage.visit({ viewport: { width, height }, colorScheme, hasTouch: touch, isMobile: touch });
        const shoot = async (name: string) => {
          expect([name, await accessibilityProblems(page)]).toEqual([name, []]);
          expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
          await page.screenshot({ path: join(pictures, `${name}-${width}-${colorScheme}.png`) });
        };
        await page.goto(stage.pageUrl);
        await page.locator('.question').first().waitFor();
        await page.evaluate(() => document.fonts.ready);
        await shoot('home');
        await page.locator('.question').first().click();
        await finishedReply(page);
        await page.waitForTimeout(300);
        await shoot('chat');
        await page.locator('button.mark').first().click();
        await page.locator('mark').first().waitFor();
        await page.waitForTimeout(400);
        await shoot('source');
      }, 60_000);
    }
  }
});
