import { describe, expect, test } from '@jest/globals';
import { parseJson } from './json-body.js';

const parse = (text: string) => parseJson(Buffer.from(text));
const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);

describe('a JSON body', () => {
  test('is read to 64 levels and refused beyond, however deep', () => {
    expect(() => parse(nested(64))).not.toThrow();
    expect(() => parse(nested(65))).toThrow(/deeper/);
    expect(() => parse('['.repeat(1_000_000))).toThrow(/deeper/);
    expect(() => parse('{"a":'.repeat(100_000))).toThrow(/deeper/);
  });

  test('may hold any number of brackets in its strings', () => {
    const text = `${'['.repeat(500)}"\\"`;
    expect(parse(JSON.stringify({ text }))).toEqual({ text });
  });

  test('loses __proto__ keys, also written with escapes', () => {
    for (const text of ['{"a":{"__proto__":{"x":1}}}', '{"a":{"\\u005f_proto__":{"x":1}}}']) {
      const { a } = parse(text) as { a: object };
      expect(Object.keys(a)).toEqual([]);
      expect(Reflect.get(a, 'x')).toBeUndefined();
    }
  });

  test('that is not JSON or not UTF-8 is refused', () => {
    for (const text of ['{', '{"a":1,}', 'undefined', '"\\x"', '{"a":"\u0001"}']) expect(() => parse(text)).toThrow();
    expect(() => parseJson(Buffer.from([0x22, 0xff, 0x22]))).toThrow(/UTF-8/);
  });

  test('of no bytes reads as an empty object', () => {
    expect(parse('')).toEqual({});
  });
});
