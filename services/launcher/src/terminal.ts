import { performance } from 'node:perf_hooks';

const LABEL_WIDTH = 34;

export interface Terminal {
  /** Runs one step of the start and shows its name, its time and what it gives as a remark. */
  step<T>(
    name: string,
    run: (progress: (remark: string) => void) => Promise<T>,
    remark?: (value: T) => string,
  ): Promise<T>;
  line(text?: string): void;
  /** Something a person should know while it runs. */
  notice(text: string): void;
  failure(lines: { what: string; why: string; mend: string }): void;
  bold(text: string): string;
  dim(text: string): string;
}

interface Output {
  write(text: string): unknown;
  isTTY?: boolean;
}

/** How often a step that takes long says so where lines cannot be rewritten, in milliseconds. */
const PLAIN_PROGRESS_EVERY_MS = 5_000;

/** Writes one line a step. Colours and rewritten lines only on a terminal; NO_COLOR is honoured. */
export function makeTerminal(output: Output, noColor: boolean, now: () => number = () => performance.now()): Terminal {
  const live = output.isTTY === true;
  const colour = (code: number) => (text: string) => (live && !noColor ? `\u001b[${code}m${text}\u001b[0m` : text);
  const [bold, dim, red, green, yellow] = [colour(1), colour(2), colour(31), colour(32), colour(33)];
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
  const line = (text = ''): void => void output.write(`${text}\n`);
  const rewrite = (text: string): void => void output.write(`\r\u001b[K${text}`);

  return {
    bold,
    dim,
    line,
    notice: (text) => line(`  ${yellow('!')} ${text}`),
    failure({ what, why, mend }) {
      line(`  ${red('✗')} ${bold(what)}`);
      line(`    ${why}`);
      line(`    ${dim('→')} ${mend}`);
    },
    async step(name, run, remark) {
      const start = now();
      let said = start;
      if (live) rewrite(`  ${dim('·')} ${name}`);
      const progress = (text: string): void => {
        if (live) rewrite(`  ${dim('·')} ${name.padEnd(LABEL_WIDTH)} ${dim(text)}`);
        else if (now() - said >= PLAIN_PROGRESS_EVERY_MS) {
          said = now();
          line(`  · ${name.padEnd(LABEL_WIDTH)} ${text}`);
        }
      };
      try {
        const value = await run(progress);
        if (live) rewrite('');
        const note = remark?.(value) ?? '';
        line(
          `  ${green('✓')} ${name.padEnd(LABEL_WIDTH)} ${dim(seconds(now() - start).padStart(7))}${note ? `  ${dim(note)}` : ''}`,
        );
        return value;
      } catch (error) {
        if (live) rewrite('');
        throw error;
      }
    },
  };
}
