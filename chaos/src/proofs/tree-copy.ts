import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { applyEdit, type Edit } from './mechanisms.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const copied = [
  'packages',
  'services',
  'chaos',
  'demo',
  'docs',
  'scripts',
  'package.json',
  'pnpm-lock.yaml',
  'pnpm-workspace.yaml',
  'tsconfig.json',
  'tsconfig.base.json',
  'jest.config.mjs',
  '.env.example',
];

export interface Ran {
  code: number | null;
  output: string;
}

/** The built project once more, to be changed without a trace. */
export interface TreeCopy {
  readonly folder: string;
  /** Makes the edits and builds; what it gives takes them back. */
  change(edits: readonly Edit[]): Promise<() => Promise<void>>;
  /** Runs node in it; `show` prints what it says as it comes. */
  node(args: readonly string[], options?: { show?: boolean }): Promise<Ran>;
  remove(): void;
}

/** Copies sources and what is built of them; the installed packages are the same. */
export function copyTree(): TreeCopy {
  const folder = mkdtempSync(join(tmpdir(), 'sidestage-copy-'));
  for (const name of copied)
    cpSync(join(root, name), join(folder, name), {
      recursive: true,
      verbatimSymlinks: true,
      preserveTimestamps: true,
      filter: (path) => basename(path) !== '.sidestage',
    });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));

  function node(args: readonly string[], { show = false } = {}): Promise<Ran> {
    return new Promise((resolve, reject) => {
      const child = spawn(process.execPath, args, {
        cwd: folder,
        env: { ...process.env, NODE_OPTIONS: '--experimental-vm-modules --disable-warning=ExperimentalWarning' },
      });
      let output = '';
      const take = (data: Buffer): void => {
        output += data.toString('utf8');
        if (show) process.stdout.write(data);
      };
      child.stdout.on('data', take);
      child.stderr.on('data', take);
      child.once('error', reject);
      child.once('close', (code) => resolve({ code, output }));
    });
  }

  async function build(): Promise<void> {
    for (const step of [['node_modules/typescript/bin/tsc', '-b'], ['scripts/bundle.mjs']]) {
      const { code, output } = await node(step);
      if (code !== 0) throw new Error(`the changed project does not build:\n${output.slice(-2_000)}`);
    }
  }

  return {
    folder,
    node,
    async change(edits) {
      const before = new Map<string, string>();
      for (const edit of edits) {
        const file = join(folder, edit.file);
        const text = readFileSync(file, 'utf8');
        if (!before.has(file)) before.set(file, text);
        writeFileSync(file, applyEdit(text, edit));
      }
      await build();
      return async () => {
        for (const [file, text] of before) writeFileSync(file, text);
        await build();
      };
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
