import { describe, expect, it } from '@jest/globals';
import { Pace } from './pace.js';

/** As much work as the beginning of a turn on a starved machine. */
function work(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

describe('the pace at which turns begin', () => {
  it('ends the first turns before it begins the last, where the work is more than the process can carry', async () => {
    const pace = new Pace();
    const story: string[] = [];
    await Promise.all(
      Array.from({ length: 12 }, async (_, turn) => {
        await pace.begin();
        story.push(`begin ${turn}`);
        for (let step = 0; step < 3; step++) {
          work(20);
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
        story.push(`end ${turn}`);
      }),
    );
    expect(story.filter((line) => line.startsWith('begin'))).toEqual(
      Array.from({ length: 12 }, (_, turn) => `begin ${turn}`),
    );
    expect(story.indexOf('end 0')).toBeLessThan(story.indexOf('begin 11'));
  });

  it('lets a single turn begin at once, and hundreds within a second where nothing is in the way', async () => {
    const pace = new Pace();
    let begun = false;
    void pace.begin().then(() => {
      begun = true;
    });
    await Promise.resolve();
    expect(begun).toBe(true);
    let count = 0;
    for (let turn = 0; turn < 400; turn++) void pace.begin().then(() => (count += 1));
    for (let waits = 0; waits < 200 && count < 400; waits++) await new Promise((resolve) => setTimeout(resolve, 50));
    expect(count).toBe(400);
  });
});
