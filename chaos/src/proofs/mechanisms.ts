import { readFileSync } from 'node:fs';
import { z } from 'zod';

const edit = z.strictObject({
  /** From the root of the project. */
  file: z.string(),
  /** Stands in it exactly once. */
  from: z.string(),
  to: z.string(),
});
export type Edit = z.infer<typeof edit>;

const mechanism = z.strictObject({
  name: z.string(),
  /** What it keeps from happening, in one sentence. */
  what: z.string(),
  /** Takes it out. */
  edits: z.array(edit).min(1),
  /** The test that fails without it. */
  test: z.strictObject({ file: z.string(), name: z.string() }),
});
export type Mechanism = z.infer<typeof mechanism>;

const mechanismsFile = z.strictObject({
  /** One by one, each with the test that has to fail. */
  mechanisms: z.array(mechanism).min(1),
  /** All at once: a worker as the queue library's defaults make it. The campaign has to fail on it. */
  control: z.array(edit).min(1),
});

/** Reads `chaos/mechanisms.json`. @throws where it is not as it should be */
export function readMechanisms(): z.infer<typeof mechanismsFile> {
  const file = new URL('../../mechanisms.json', import.meta.url);
  return mechanismsFile.parse(JSON.parse(readFileSync(file, 'utf8')));
}

/** The text with the edit made. @throws where what it replaces is not there exactly once */
export function applyEdit(text: string, { file, from, to }: Edit): string {
  const parts = text.split(from);
  if (parts.length !== 2)
    throw new Error(`${file} has the text to take out ${parts.length - 1} times instead of once:\n${from}`);
  return parts.join(to);
}
