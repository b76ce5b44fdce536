import { describe, expect, it } from '@jest/globals';
import { makeReadThrough } from './read-through.js';

/** A source whose answers are given by hand. */
function makeSource() {
  const asked: { key: string; answer: (value: string) => void; fail: (error: Error) => void }[] = [];
  const read = (key: string) =>
    new Promise<string>((answer, fail) => {
      asked.push({ key, answer, fail });
    });
  return { asked, read };
}

describe('what is read through a cache', () => {
  it('is read once for all who ask at the same moment, and kept', async () => {
    const { asked, read } = makeSource();
    const cache = makeReadThrough({ read, keepMs: () => 60_000, max: 10 });
    const all = Promise.all(Array.from({ length: 500 }, () => cache.get('marta')));
    await Promise.resolve();
    expect(asked.map(({ key }) => key)).toEqual(['marta']);
    asked[0]?.answer('row');
    expect(new Set(await all)).toEqual(new Set(['row']));
    expect(await cache.get('marta')).toBe('row');
    expect(cache.peek('marta')).toBe('row');
    expect(asked).toHaveLength(1);
  });

  it('is read again after an error, which everybody who waited gets', async () => {
    const { asked, read } = makeSource();
    const cache = makeReadThrough({ read, keepMs: () => 60_000, max: 10 });
    const both = Promise.allSettled([cache.get('marta'), cache.get('marta')]);
    asked[0]?.fail(new Error('away'));
    expect((await both).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    const again = cache.get('marta');
    asked[1]?.answer('row');
    expect(await again).toBe('row');
  });

  it('is not kept when it was forgotten while it was read', async () => {
    const { asked, read } = makeSource();
    const cache = makeReadThrough({ read, keepMs: () => 60_000, max: 10 });
    const before = cache.get('marta');
    cache.forget((key) => key === 'marta');
    const after = cache.get('marta');
    asked[1]?.answer('new');
    asked[0]?.answer('old');
    expect([await before, await after]).toEqual(['old', 'new']);
    expect(cache.peek('marta')).toBe('new');
  });

  it('never grows over its bound', async () => {
    const cache = makeReadThrough({ read: async (key) => key, keepMs: () => 60_000, max: 2 });
    for (const key of ['a', 'b', 'c']) await cache.get(key);
    expect(['a', 'b', 'c'].map((key) => cache.peek(key))).toEqual([undefined, 'b', 'c']);
  });
});
