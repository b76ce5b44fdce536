import { z } from 'zod';
import { cuesToSegments } from './cues.js';
import { type ParsedSegment, ParseError } from './parsed.js';
import type { Cue } from './rolling-captions.js';

const json3 = z.object({
  events: z.array(
    z.object({
      tStartMs: z.number().min(0).default(0),
      dDurationMs: z.number().min(0).default(0),
      segs: z.array(z.object({ utf8: z.string().default('') })).optional(),
    }),
  ),
});

/** YouTube's json3 captions. A rolling event stays on the screen while the next is spoken: it ends where the next begins. */
export function parseJson3(text: string): ParsedSegment[] {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    throw new ParseError('the file is not JSON');
  }
  const parsed = json3.safeParse(raw);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new ParseError(`the file is not YouTube's json3: ${issue?.path.join('.') || 'the whole'}: ${issue?.message}`);
  }
  const cues: Cue[] = parsed.data.events.flatMap(({ tStartMs, dDurationMs, segs }) => {
    const said = (segs ?? []).map(({ utf8 }) => utf8).join('');
    if (said.trim() === '') return [];
    return [{ start: tStartMs / 1000, end: (tStartMs + dDurationMs) / 1000, text: escapeTags(said) }];
  });
  cues.sort((a, b) => a.start - b.start);
  for (const [at, cue] of cues.entries()) {
    const next = cues[at + 1];
    if (next) cue.end = Math.max(cue.start, Math.min(cue.end, next.start));
  }
  return cuesToSegments(cues);
}

/** json3 is plain text, where `<` and `&` mean themselves. */
function escapeTags(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
