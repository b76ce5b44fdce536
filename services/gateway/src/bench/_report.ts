import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export function print(line: string): void {
  process.stdout.write(`  ${line}\n`);
}

/** Writes `.sidestage/bench/<name>.json` and says where it is. */
export function writeReport(name: string, report: unknown): void {
  const folder = join(process.cwd(), '.sidestage', 'bench');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${name}.json`);
  writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
  print(`written to ${file}`);
}

/** The value below which `share` (0 to 1) of the values lie; 0 of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}

export const mebibytes = (bytes: number): number => Math.round((bytes / 1024 / 1024) * 10) / 10;

/** The number after `--<name>` on the command line. */
export function option(name: string, otherwise: number): number {
  const at = process.argv.indexOf(`--${name}`);
  const value = at === -1 ? otherwise : Number(process.argv[at + 1]);
  if (!Number.isFinite(value) || value <= 0) throw new Error(`--${name} takes a number above 0`);
  return value;
}
