import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { accessibilityProblems, atRest, finishedReply, pictures, type Stage } from './stage.js';

/** Every place at the widths of a phone, a tablet and a desk, light and dark: nothing sticks out, axe is pleased, a picture is written. */
export function itLooksRight(stageOf: () => Stage): void {
  for (const [width, height] of [
    [360, 740],
    [768, 1024],
    [1280, 800],
  ] as const) {
    for (const colorScheme of ['light', 'dark'] as const) {
      it(`stands at ${width} px in ${colorScheme}, pleases axe, and is written to a picture`, async () => {
        const stage = stageOf();
        const touch = width < 1000;
        const page = await stage.visit({ viewport: { width, height }, colorScheme, hasTouch: touch, isMobile: touch });
        const shoot = async (name: string) => {
          await atRest(page);
          expect([name, await accessibilityProblems(page)]).toEqual([name, []]);
          expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
          await page.screenshot({ path: join(pictures, `${name}-${width}-${colorScheme}.png`) });
        };
        await page.goto(stage.pageUrl);
        await page.locator('.question').first().waitFor();
        await shoot('home');
        await page.locator('.question').first().click();
        await finishedReply(page);
        await shoot('chat');
        await page.locator('button.mark').first().click();
        await page.locator('mark').first().waitFor();
        await shoot('source');
      }, 90_000);
    }
  }
}
