import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { readJsonFile, writePrivateFile } from './private-files.js';

const entrySchema = z.object({ name: z.string(), pid: z.number().int(), port: z.number().int(), log: z.string() });
/** One process of the running fleet; `log` is a path. */
export type RunEntry = z.infer<typeof entrySchema>;

/** `.sidestage/run.json`: who runs now, rewritten at each change. */
export class RunFile {
  readonly #file: string;
  readonly #entries = new Map<string, RunEntry>();

  constructor(dataDir: string) {
    this.#file = join(dataDir, 'run.json');
  }

  /** What an earlier run that did not end well left in it. */
  readLeftovers(): RunEntry[] {
    return readJsonFile(this.#file, z.array(entrySchema)) ?? [];
  }

  set(entry: RunEntry): void {
    this.#entries.set(entry.name, entry);
    this.#write();
  }

  delete(name: string): void {
    if (this.#entries.delete(name)) this.#write();
  }

  /** Nothing runs any more. */
  remove(): void {
    rmSync(this.#file, { force: true });
  }

  #write(): void {
    writePrivateFile(this.#file, `${JSON.stringify([...this.#entries.values()], null, 2)}\n`);
  }
}
