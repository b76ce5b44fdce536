import { describe, expect, it } from '@jest/globals';
import { citationAddress, dayOf, quoteOf } from './sources.js';

const origin = 'https://page.example';
const citation = (url: string, quote: string) => ({
  source_id: 's',
  title: 't',
  url,
  start_seconds: null,
  end_seconds: null,
  quote,
  index: 1,
  offset: 0,
});

describe('citationAddress', () => {
  it('tells our own page the quoted words, and it finds them in its address', () => {
    const quote = 'Flour is 100 %, “always” & ever #1';
    const address = citationAddress(citation(`${origin}/watch/abc?t=75`, quote), origin);
    expect(address.startsWith(`${origin}/watch/abc?t=75#`)).toBe(true);
    expect(quoteOf(new URL(address).hash)).toBe(quote);
  });

  it('leaves other addresses alone', () => {
    const url = 'https://www.youtube.com/watch?v=abc&t=75s';
    expect(citationAddress(citation(url, 'words'), origin)).toBe(url);
  });

  it('takes no words from an address that holds none or broken ones', () => {
    expect([quoteOf(''), quoteOf('#other'), quoteOf('#quote='), quoteOf('#quote=%E0%A4')]).toEqual(Array(4).fill(null));
  });
});

describe('dayOf', () => {
  it('is the day of publication in every time zone, or nothing', () => {
    expect(dayOf('2026-01-17T23:30:00Z')).toBe('January 17, 2026');
    expect(dayOf(null)).toBeNull();
  });
});
