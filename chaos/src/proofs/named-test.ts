import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Mechanism } from './mechanisms.js';
import type { TreeCopy } from './tree-copy.js';

const results = z.object({
  testResults: z.array(
    z.object({
      message: z.string(),
      assertionResults: z.array(z.object({ title: z.string(), fullName: z.string(), status: z.string() })),
    }),
  ),
});

/** How one test ended; `missing` where no test of that name ran. */
export type TestEnd = 'passed' | 'failed' | 'missing';

/** Runs one test of the copy by its name. */
export async function runNamedTest(copy: TreeCopy, { file, name }: Mechanism['test']): Promise<TestEnd> {
  const outcome = join(copy.folder, 'jest.json');
  const pattern = `${name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`;
  await copy.node([
    'node_modules/jest/bin/jest.js',
    '--runInBand',
    '--forceExit',
    '--json',
    '--outputFile',
    outcome,
    '--testNamePattern',
    pattern,
    '--runTestsByPath',
    join(copy.folder, file),
  ]);
  const { testResults } = results.parse(JSON.parse(readFileSync(outcome, 'utf8')));
  const ends = testResults.flatMap(({ assertionResults }) =>
    assertionResults.filter(({ title, fullName }) => title === name || fullName === name).map(({ status }) => status),
  );
  if (ends.includes('failed')) return 'failed';
  return ends.includes('passed') ? 'passed' : 'missing';
}
