import { describe, expect, test } from '@jest/globals';
import { ProblemError } from '@sidestage/contracts';
import { encodeCursor, readLineCursor, readTimeCursor, toPage } from './pages.js';

const id = '01a1ff06-8c7a-7bcc-8d89-ba31abefbcd7';

describe('a cursor', () => {
  test('of a page leads on to the next, to the microsecond', () => {
    const rows = [
      { id, cursor_at: '2026-01-01 10:00:00.123456+00' },
      { id, cursor_at: '2026-01-01 09:00:00+05:30' },
      { id, cursor_at: '2024-02-29 23:59:59.1-08' },
    ];
    for (const row of rows) {
      const page = toPage([row, row], 1);
      expect(readTimeCursor(page.next_cursor ?? '')).toEqual({ at: row.cursor_at, id });
    }
  });

  test.each([
    ['no such day', ['2026-02-31 10:00:00+00', id]],
    ['no such month', ['2026-13-01 10:00:00+00', id]],
    ['no such hour', ['2026-01-01 25:00:00+00', id]],
    ['no such year', ['0000-01-01 10:00:00+00', id]],
    ['no such offset', ['2026-01-01 10:00:00+99:99', id]],
    ['a statement', ["2026-01-01 10:00:00+00'; --", id]],
    ['an id that is none', ['2026-01-01 10:00:00+00', 'me']],
    ['numbers', [1, 2]],
    ['nothing', []],
  ])('made up by a client (%s) is refused before Postgres sees it', (_name, parts) => {
    expect(() => readTimeCursor(encodeCursor(parts))).toThrow(ProblemError);
  });

  test('of a history that is out of range is refused', () => {
    for (const parts of [
      [1.5, 1],
      [1, 2],
      [2 ** 40, 0],
      [-1, 0],
      ['1', 1],
    ])
      expect(() => readLineCursor(encodeCursor(parts))).toThrow(ProblemError);
  });
});
