import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HitRates } from '../testing/hit-rates.js';
import type { Miss, Nearness } from './_nearness.js';

export interface HitRow extends HitRates {
  index: string;
  /** A show, `all shows`, or the questions in other languages. */
  questionsOf: string;
}

export interface Report {
  at: string;
  /** `computed` and `known`: vectors; the seconds are ingestion's own where nothing was known. */
  ingestion: { show: string; episodes: number; seconds: number; computed: number; known: number }[];
  hits: HitRow[];
  /** Over HTTP, one at a time. */
  /** On the embedded index. */
  nearness: Nearness[];
  misses: Miss[];
  queries: { index: string; count: number; p50Ms: number; p95Ms: number }[];
}

export function print(line: string): void {
  process.stdout.write(`  ${line}\n`);
}

export function printHits(rows: readonly HitRow[]): void {
  print('');
  print('index           questions                    n   top 1   top 5   right second');
  for (const row of rows) {
    const second = row.marked === 0 ? '     -' : `${row.rightSecond.toFixed(1)} % of ${row.marked}`;
    print(
      `${row.index.padEnd(15)} ${row.questionsOf.padEnd(26)} ${String(row.questions).padStart(3)} ${percent(row.top1)} ${percent(row.top5)}   ${second}`,
    );
  }
}

/** Whether a question has an answer can only in part be told from how near the nearest passage is. */
export function printNearness(rows: readonly Nearness[], misses: readonly Miss[]): void {
  print('');
  print('best likeness of the first five            n    10 %   50 %   90 %');
  for (const { questionsOf, questions, p10, p50, p90 } of rows) {
    const figures = [p10, p50, p90].map((value) => value.toFixed(2).padStart(6)).join(' ');
    print(`${questionsOf.padEnd(40)} ${String(questions).padStart(3)}  ${figures}`);
  }
  print(`${misses.length} questions with an answer missed it; they stand in the written report`);
}

function percent(value: number): string {
  return `${value.toFixed(1)} %`.padStart(7);
}

/** Writes `.sidestage/bench/retrieval.json`; gives its path. */
export function writeReport(report: Report): string {
  const folder = join(process.cwd(), '.sidestage', 'bench');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'retrieval.json');
  writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
  return file;
}

/** The value below which `share` (0 to 1) of the values lie. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = Math.min(sorted.length - 1, Math.floor(share * sorted.length));
  return Math.round((sorted[at] ?? 0) * 10) / 10;
}
