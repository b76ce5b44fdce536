import { ProblemError } from '@sidestage/contracts';
import { isUuid } from '@sidestage/runtime';

/** A place in a list ordered by (time, id). `at` is Postgres's own text: JavaScript's dates lose microseconds. */
export interface TimeCursor {
  at: string;
  id: string;
}

const timePattern = /^(?!0000)(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.\d{1,6})?[+-](?:0\d|1[0-4])(?::?[0-5]\d)?$/;

/** Whether Postgres would take it: a made-up cursor may name the 31st of February. */
function isMoment(at: string): boolean {
  const [, date, clock] = timePattern.exec(at) ?? [];
  const time = new Date(`${date}T${clock}Z`);
  return !Number.isNaN(time.getTime()) && time.toISOString().startsWith(`${date}T${clock}`);
}

function badCursor(): ProblemError {
  return new ProblemError('validation_failed', {
    detail: 'cursor: must be a next_cursor of this list',
    errors: [{ path: 'cursor', message: 'must be a next_cursor of this list' }],
  });
}

/** Opaque to clients. */
export function encodeCursor(parts: (string | number)[]): string {
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}

function decodeCursor(cursor: string): unknown[] {
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    if (Array.isArray(parts)) return parts;
  } catch {
    // Falls through: not one of ours.
  }
  throw badCursor();
}

/** Null without a cursor. Throws `validation_failed` for one that this list did not make. */
export function readTimeCursor(cursor: string | undefined): TimeCursor | null {
  if (cursor === undefined) return null;
  const [at, id] = decodeCursor(cursor);
  if (typeof at !== 'string' || typeof id !== 'string' || !isMoment(at) || !isUuid(id)) throw badCursor();
  return { at, id };
}

/** A place in a conversation: turn ordinal and which of its two lines. Null without a cursor. */
export function readLineCursor(cursor: string | undefined): { ordinal: number; line: number } | null {
  if (cursor === undefined) return null;
  const [ordinal, line] = decodeCursor(cursor);
  if (!Number.isInteger(ordinal) || (line !== 0 && line !== 1)) throw badCursor();
  if ((ordinal as number) < 0 || (ordinal as number) > 2_147_483_647) throw badCursor();
  return { ordinal: ordinal as number, line };
}

/** Cuts `rows`, read with one more than `limit`, into a page. */
export function toPage<Row extends { cursor_at: string; id: string }>(
  rows: Row[],
  limit: number,
): { rows: Row[]; next_cursor: string | null } {
  const kept = rows.slice(0, limit);
  const last = kept.at(-1);
  return { rows: kept, next_cursor: rows.length > limit && last ? encodeCursor([last.cursor_at, last.id]) : null };
}
