import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { itLooksRight } from './looks.js';
import {
  accessibilityProblems,
  atRest,
  dragDown,
  finishedReplies,
  finishedReply,
  messagesPerMinute,
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
  expect(stage.takeFaults()).toEqual([]);
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
    await page.waitForURL(/\/c\/marta-okkonen\/[\w-]+$/);
    await page.locator('button.mark').first().click();
    const lit = page.locator('.source-panel mark').first();
    await lit.waitFor();
    expect((await lit.textContent())?.length).toBeGreaterThan(10);
    expect(await accessibilityProblems(page)).toEqual([]);
    await page.keyboard.press('Escape');
    await page.locator('.source-panel').waitFor({ state: 'detached' });
    await page.waitForFunction(() => document.activeElement?.classList.contains('mark'));
  }, 60_000);

  it('opens the address of a citation at the cited words, without a credential', async () => {
    const page = await visitAndPress();
    await finishedReply(page);
    await page.locator('.chip').first().click();
    const address = await page.getByRole('link', { name: 'Open at the source' }).getAttribute('href');
    const stranger = await stage.visit();
    await stranger.goto(address ?? '');
    await stranger.locator('.transcript').waitFor();
    await stranger.locator('mark').first().waitFor();
    expect(await accessibilityProblems(stranger)).toEqual([]);
  }, 60_000);

  it('says it begins again when a worker dies, and brings the whole reply', async () => {
    stage.fleet.model?.behave({ reply: 'Rye needs time. '.repeat(200), tokenDelayMs: 60 });
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
      // One at a time: the free tier has two in flight at most.
      await finishedReplies(page, sent + 1);
    }
    await say(page, 'One too many');
    const notice = page.locator('.limit-notice');
    await notice.waitFor();
    expect(await notice.textContent()).toMatch(/4 of 4 this minute\. Next message in [\s\S]*\d\d:\d\d/);
    await page.waitForFunction(() => document.querySelector('textarea')?.value === 'One too many');
    expect(await accessibilityProblems(page)).toEqual([]);
  }, 90_000);

  it('stops a reply with Esc, and asks again', async () => {
    stage.fleet.model?.behave({ reply: 'Slow words. '.repeat(300), tokenDelayMs: 80 });
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
    const refusal = page.getByText('does not go into this', { exact: false });
    await refusal.waitFor();
    await page.reload();
    await refusal.waitFor();
    expect(await page.getByText('Not from the creator').count()).toBe(0);
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
    await page.locator('[aria-label="Good reply"][aria-pressed="true"]').waitFor();
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

  it('goes on in a conversation that was left for a while and come back to', async () => {
    stage.fleet.model?.behave({ reply: 'Still here.' });
    const page = await openChat();
    await say(page, question);
    await finishedReply(page);
    const conversation = await page.waitForURL(/\/c\/marta-okkonen\/[\w-]+$/).then(() => page.url());
    await page.locator('a[href="/"]').first().click();
    await page.locator('.question').first().waitFor();
    // Longer than a line is kept for somebody who turns round at once.
    await page.waitForTimeout(1_500);
    await page.goBack();
    expect(page.url()).toBe(conversation);
    await say(page, 'Are you?');
    await finishedReplies(page, 2);
  }, 60_000);

  it('says so where a part of the page does not come, and mends itself when loaded again', async () => {
    const page = await stage.visit();
    await page.route(/assets\/ChatPage-.*\.js/, (route) => route.abort());
    await page.goto(`${stage.pageUrl}/c/marta-okkonen`);
    const again = page.getByRole('button', { name: 'Load the page again' });
    await again.waitFor();
    expect(await accessibilityProblems(page)).toEqual([]);
    // The browser and React both tell of the missing part; that is what is tried here.
    stage.takeFaults();
    await page.unrouteAll();
    await again.click();
    await page.locator('.introduction').waitFor();
  }, 60_000);

  it('sets tables, code and words of another direction without sticking out of a phone', async () => {
    const table =
      '| Ingredient | Percent | Remark |\n| --- | --- | --- |\n| Flour | 100 | strong, white, and long enough to be wide |';
    const reply = `The plan:\n\n${table}\n\n    ${'knead '.repeat(30)}\n\nخبز الجاودار يحتاج إلى الراحة.\n\n${'x'.repeat(200)}`;
    stage.fleet.model?.next({ reply });
    const page = await stage.visit({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });
    await page.goto(`${stage.pageUrl}/c/marta-okkonen`);
    await say(page, question);
    await finishedReply(page);
    await page.locator('.prose table').waitFor();
    const arabic = page.locator('.prose p', { hasText: 'خبز' });
    expect(await arabic.evaluate((block) => getComputedStyle(block).direction)).toBe('rtl');
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
    expect(await accessibilityProblems(page)).toEqual([]);
  }, 60_000);

  it('drags the source away on a phone, and lets a short pull spring back', async () => {
    const page = await visitAndPress({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });
    await finishedReply(page);
    await page.locator('button.mark').first().tap();
    const sheet = page.locator('.source-sheet');
    await sheet.locator('mark').first().waitFor();
    await atRest(page);
    await dragDown(page, '.sheet-handle', 60);
    await page.waitForFunction(() => document.querySelector('.source-sheet[data-dragged="true"]') === null);
    expect(await sheet.count()).toBe(1);
    await atRest(page);
    await dragDown(page, '.sheet-handle', 300);
    await sheet.waitFor({ state: 'detached' });
    await page.waitForFunction(() => document.activeElement?.classList.contains('mark'));
  }, 60_000);

  it('deletes the account with all that was said, and makes no guest of who is left', async () => {
    const page = await visitAndPress();
    await finishedReply(page);
    const conversation = page.url();
    const email = `leaving-${Date.now()}@example.org`;
    const enter = async (button: string) => {
      await page.getByLabel('E-mail').fill(email);
      await page.getByLabel('Password').fill('a long enough password');
      await page.getByRole('dialog').getByRole('button', { name: button, exact: true }).click();
    };
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await page.getByRole('button', { name: 'Make an account' }).click();
    await enter('Make the account');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await page.locator('.account-button').click();
    await page.getByRole('menuitem', { name: 'Delete the account' }).click();
    const sure = page.getByRole('alertdialog', { name: 'Delete your account?' });
    await sure.waitFor();
    expect(await accessibilityProblems(page)).toEqual([]);
    await sure.getByRole('button', { name: 'Delete the account' }).click();
    await page.getByText('Press any question to begin.', { exact: false }).waitFor();
    expect(new URL(page.url()).pathname).toBe('/');
    await page.goto(conversation);
    await page.getByRole('heading', { name: 'This conversation is not here' }).waitFor();
    expect(await page.evaluate(() => localStorage.getItem('sidestage.session'))).toBeNull();
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await page.getByRole('dialog').waitFor();
    await enter('Sign in');
    await page.getByText('E-mail or password is wrong.').waitFor();
  }, 60_000);

  itLooksRight(() => stage);
});
