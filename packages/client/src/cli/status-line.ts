/** Between two lines where the output is no terminal, in milliseconds. */
const everyMs = 10_000;

/** A line that is written over in a terminal; elsewhere it is said now and then. */
export function makeStatusLine(
  output: { isTTY?: boolean; columns?: number; write(text: string): unknown },
  now = () => performance.now(),
): (line: string | null) => void {
  let shown = false;
  let next = 0;
  return (line) => {
    if (output.isTTY) {
      if (shown || line !== null) output.write(`\r\x1b[2K${line?.slice(0, (output.columns ?? 80) - 1) ?? ''}`);
      shown = line !== null;
    } else if (line !== null && now() >= next) {
      next = now() + everyMs;
      output.write(`${line}\n`);
    }
  };
}
