import { type ChildProcess, spawn } from 'node:child_process';

/**
 * A shell that outlives us for a moment: it holds the reading end of a pipe whose writing end is ours alone, so however
 * we die (also by SIGKILL) it reads end-of-file, and then stops what we had started, newest first.
 */
const GUARDIAN_SCRIPT = `
trap '' INT TERM HUP QUIT
list=""
while read -r verb pid signal; do
  rest=""
  for entry in $list; do [ "\${entry%%:*}" = "$pid" ] || rest="$rest $entry"; done
  list=$rest
  [ "$verb" = add ] && list="$pid:$signal $list"
done
for entry in $list; do
  pid=\${entry%%:*}
  kill -s "\${entry#*:}" "$pid" 2>/dev/null || continue
  kill -s CONT "$pid" 2>/dev/null
  tries=0
  while kill -0 "$pid" 2>/dev/null && [ $tries -lt 30 ]; do sleep 0.1; tries=$((tries + 1)); done
  kill -s KILL -- "-$pid" 2>/dev/null
done
exit 0
`;

let guardian: ChildProcess | undefined;
let guardedCount = 0;

function write(line: string): void {
  guardian?.stdin?.write(`${line}\n`);
}

function startGuardian(): ChildProcess {
  const child = spawn('/bin/sh', ['-c', GUARDIAN_SCRIPT], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  // A guardian that was killed must not take us along when we next write to it.
  child.stdin.on('error', () => undefined);
  child.on('error', () => undefined);
  child.once('exit', () => {
    if (guardian === child) guardian = undefined;
  });
  // Neither the process nor its pipe may keep our event loop alive.
  child.unref();
  (child.stdin as unknown as { unref?: () => void }).unref?.();
  return child;
}

/**
 * Promises that process `pid` (the leader of its own process group) is stopped by `signal`, and three seconds later by
 * SIGKILL, should this process end without having stopped it.
 */
export function guard(pid: number, signal: NodeJS.Signals): void {
  guardian ??= startGuardian();
  guardedCount += 1;
  write(`add ${pid} ${signal.replace(/^SIG/, '')}`);
}

/** Takes back {@link guard} once the process has ended, so that its id may be given to another. */
export function unguard(pid: number): void {
  write(`remove ${pid}`);
  guardedCount -= 1;
  if (guardedCount > 0) return;
  guardian?.stdin?.end();
  guardian = undefined;
}
