import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { readConfig } from './config.js';

const { root } = readConfig({}, []);

/** The rows of the fault table: [fault, what happens, proofs]. */
function readRows(): string[][] {
  const text = readFileSync(join(root, 'docs', 'reliability.md'), 'utf8');
  const table = text.slice(text.indexOf('## Every fault'), text.indexOf('## The campaign'));
  return table
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| --- ') && !line.startsWith('| **'))
    .slice(1)
    .map((line) => line.slice(1, -1).split(' | '));
}

/** The tests a row names, `file › name`. */
function proofsOf(row: string[]): { file: string; name: string }[] {
  return [...(row[2] ?? '').matchAll(/`([^`]+\.test\.ts) › ([^`]+)`/g)].map(([, file = '', name = '']) => ({
    file,
    name,
  }));
}

function hasTest(file: string, name: string): boolean {
  const path = ['packages', 'services'].map((folder) => join(root, folder, file)).find(existsSync);
  if (path === undefined) return false;
  const source = readFileSync(path, 'utf8');
  return [`'${name}'`, `"${name}"`, `\`${name}\``].some((title) => source.includes(title));
}

describe('docs/reliability.md', () => {
  const rows = readRows();

  test('has a row for each fault, each with what happens and a test', () => {
    expect(rows.length).toBeGreaterThan(35);
    expect(rows.filter((row) => row.length !== 3 || proofsOf(row).length === 0)).toEqual([]);
  });

  test('names no test that does not exist', () => {
    const named = rows.flatMap(proofsOf);
    expect(named.filter(({ file, name }) => !hasTest(file, name))).toEqual([]);
  });
});
