import { z } from 'zod';

/** Why a string cannot be stored or sent on, or null when it can. NUL breaks Postgres, a lone surrogate breaks UTF-8. */
export function textProblem(value: string): string | null {
  if (value.includes('\u0000')) return 'must not contain the NUL character';
  if (!value.isWellFormed()) return 'must not contain a lone surrogate (text that is not valid Unicode)';
  return null;
}

/** A string of `min` to `max` characters (UTF-16 units) that is well-formed Unicode without NUL. The rules JSON Schema can say it says too. */
export function text(min: number, max: number) {
  return z
    .string()
    .max(max, `must be at most ${max} characters`)
    .refine((value) => value.trim().length >= min, `must have at least ${min} character${min === 1 ? '' : 's'}`)
    .superRefine((value, context) => {
      const problem = textProblem(value);
      if (problem) context.addIssue({ code: 'custom', message: problem });
    })
    .meta({ minLength: min, pattern: min === 0 ? '^[^\\u0000]*$' : '^[^\\u0000]*[^\\s\\u0000][^\\u0000]*$' });
}

/** An opaque identifier as clients send it: 1 to 128 visible ASCII characters. */
export const opaqueId = z.string().regex(/^[\x21-\x7e]{1,128}$/, 'must be 1 to 128 visible ASCII characters');

/** An http or https address of at most 2,048 characters. */
export const webUrl = z
  .string()
  .max(2048, 'must be at most 2048 characters')
  .refine((value) => {
    try {
      return ['http:', 'https:'].includes(new URL(value).protocol) && textProblem(value) === null;
    } catch {
      return false;
    }
  }, 'must be an http or https address')
  .meta({ format: 'uri', pattern: '^https?://' });

/** RFC 3339 UTC or with an offset. */
export const timestamp = z.iso.datetime({ offset: true });

/** `?limit=&cursor=` of every list: limit 1 to 100, default 20. */
export const pageQuery = z.object({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: z.string().max(512).optional(),
});
export type PageQuery = z.infer<typeof pageQuery>;

/** The body of every list answer. */
export function pageOf<T extends z.ZodType>(item: T) {
  return z.object({ items: z.array(item), next_cursor: z.string().nullable() });
}
export interface Page<T> {
  items: T[];
  /** Opaque; null on the last page. */
  next_cursor: string | null;
}
