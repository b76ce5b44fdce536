import { describe, expect, test } from '@jest/globals';
import { ProblemError } from '@sidestage/contracts';
import { type HashingLine, makeHashingLine } from './hashing-line.js';

/** Work of a set time on a clock of its own: it ends when the test says so. */
function makeStage() {
  let clock = 0;
  const ends: (() => void)[] = [];
  const begun: string[] = [];
  const line: HashingLine = makeHashingLine({ atOnce: 2, maxWaitMs: 15_000, firstGuessMs: 25, now: () => clock });
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  return {
    begun,
    enter(name: string): Promise<string> {
      return line.run(async () => {
        begun.push(name);
        await new Promise<void>((resolve) => ends.push(resolve));
        return name;
      });
    },
    /** All that runs ends, `tookMs` later. */
    async end(tookMs: number) {
      clock += tookMs;
      for (const end of ends.splice(0)) end();
      await settled();
    },
    settled,
  };
}

describe('the line for password hashes', () => {
  test('lets few work at once, the others in the order they came', async () => {
    const stage = makeStage();
    const all = ['a', 'b', 'c', 'd', 'e'].map((name) => stage.enter(name));
    await stage.settled();
    expect(stage.begun).toEqual(['a', 'b']);
    await stage.end(1);
    expect(stage.begun).toEqual(['a', 'b', 'c', 'd']);
    await stage.end(1);
    await stage.end(1);
    expect(await Promise.all(all)).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  test('refuses at once whom it would keep too long, and says when it is worked off as measured', async () => {
    const stage = makeStage();
    const first = [stage.enter('a'), stage.enter('b')];
    await stage.settled();
    await stage.end(5_000);
    await Promise.all(first);
    // Two at once, 5 s each: six more in the line are 15 s of work.
    const kept = Array.from({ length: 8 }, (_, n) => stage.enter(`k${n}`));
    const refused = await stage.enter('late').catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(ProblemError);
    if (!(refused instanceof ProblemError)) return;
    expect(refused.code).toBe('overloaded');
    expect(refused.options.retryAfterSeconds).toBe(15);
    expect(refused.options.violatedPolicies).toEqual(['password_hashing']);

    for (let n = 0; n < 4; n++) await stage.end(5_000);
    expect(await Promise.all(kept)).toHaveLength(8);
    expect(stage.begun).not.toContain('late');
    const later = stage.enter('later');
    await stage.settled();
    await stage.end(5_000);
    expect(await later).toBe('later');
  });

  test('goes on after work that failed', async () => {
    const line = makeHashingLine({ atOnce: 1, maxWaitMs: 1_000, firstGuessMs: 1 });
    const failing = line.run(() => Promise.reject(new Error('no memory')));
    const next = line.run(async () => 'next');
    await expect(failing).rejects.toThrow('no memory');
    expect(await next).toBe('next');
  });
});
