import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { applyEdit, readMechanisms } from './mechanisms.js';

const read = (file: string): string => readFileSync(new URL(`../../../${file}`, import.meta.url), 'utf8');
const { mechanisms, control } = readMechanisms();

test.each(mechanisms.map((one) => [one.name, one] as const))(
  'the mechanism %s still stands where it is taken out, and its test still has its name',
  (_, { edits, test: named }) => {
    for (const edit of edits) expect(applyEdit(read(edit.file), edit)).not.toBe(read(edit.file));
    expect(read(named.file)).toContain(named.name);
  },
);

test('what the negative control takes out still stands', () => {
  for (const edit of control) expect(applyEdit(read(edit.file), edit)).not.toBe(read(edit.file));
});

test('the five that the promises rest on are among them', () => {
  const names = mechanisms.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(['fence', 'sweeper', 'offset check', 'lock watchdog', 'head release']));
});
