import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A real creator of the shared material: one file an episode. */
export interface Show {
  name: string;
  episodes: { file: string; content: string }[];
}

/** A question a fan would ask. */
export interface ShowQuestion {
  question: string;
  show: string;
  /** Files that answer it; none where nothing of the show does. */
  expected: string[];
  /** Second of the mark before the passage; null where the file has none. */
  markSeconds: number | null;
  language: string;
  /** How it asks; of our own questions only. */
  kind?: string;
}

/** Where the material is: `SIDESTAGE_SHARED`, or beside the project. Null where it is not there. */
export function findShared(env: Record<string, string | undefined>): string | null {
  const folder = env.SIDESTAGE_SHARED || join(process.cwd(), '..', 'shared');
  return existsSync(join(folder, 'data', 'questions.tsv')) ? folder : null;
}

export function readShow(shared: string, name: string): Show {
  const folder = join(shared, 'data', 'creators', name);
  const files = readdirSync(folder).filter((file) => file.endsWith('.md'));
  return { name, episodes: files.sort().map((file) => ({ file, content: readFileSync(join(folder, file), 'utf8') })) };
}

/** The questions that came with the material. */
export function readQuestions(shared: string): ShowQuestion[] {
  return readRows(join(shared, 'data', 'questions.tsv')).map(([question, show, expected, time, , language]) =>
    toQuestion({ question, show, expected, time, language }),
  );
}

/** Our own on the same shows, each of a kind. */
export function readOwnQuestions(): ShowQuestion[] {
  return readRows(new URL('../../bench/questions.tsv', import.meta.url)).map(
    ([question, show, expected, time, language, kind = '']) => ({
      ...toQuestion({ question, show, expected, time, language }),
      kind: kind.trim(),
    }),
  );
}

function readRows(file: string | URL): string[][] {
  const lines = readFileSync(file, 'utf8').trim().split('\n').slice(1);
  return lines.map((line) => line.split('\t'));
}

interface QuestionCells {
  question: string | undefined;
  show: string | undefined;
  expected: string | undefined;
  time: string | undefined;
  language: string | undefined;
}

function toQuestion({
  question = '',
  show = '',
  expected = '',
  time = '-',
  language = 'en',
}: QuestionCells): ShowQuestion {
  return {
    question,
    show,
    expected: expected === 'none' ? [] : expected.split(',').map((file) => file.trim()),
    markSeconds: time === '-' ? null : toSeconds(time),
    language: language.trim(),
  };
}

/** The second of the mark after `markSeconds` in an episode; infinity after the last. */
export function nextMark(content: string, markSeconds: number): number {
  const marks = [...content.matchAll(/\\\[((?:\d+:)?\d+:\d\d)\\\]/g)].map((match) => toSeconds(match[1] ?? '0:00'));
  return Math.min(...marks.filter((mark) => mark > markSeconds), Number.POSITIVE_INFINITY);
}

function toSeconds(time: string): number {
  return time.split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
}
