import { inspect } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { Credentials } from './credentials.js';

describe('credentials', () => {
  test('are asked for once by many who were refused the same one', async () => {
    const asked: (string | null)[] = [];
    const credentials = new Credentials(async (refused) => {
      asked.push(refused);
      return `after ${refused}`;
    });
    const renewed = await Promise.all([1, 2, 3].map(() => credentials.renew('old')));
    expect(renewed).toEqual(['after old', 'after old', 'after old']);
    expect(asked).toEqual(['old']);
    await credentials.renew('old');
    expect(asked).toHaveLength(2);
  });

  test('are not shown where a client is printed', () => {
    expect(inspect(new Credentials('sk_secret'), { depth: 9, showHidden: true })).not.toContain('sk_secret');
  });
});
