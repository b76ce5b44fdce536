import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { commandOf } from './command-of.js';
import { startOwnedProcess } from './owned-process.js';
import { poll } from './wait.js';

const sleeper = { command: process.execPath, args: ['-e', 'setInterval(() => {}, 1000)'] };
const stubborn = {
  command: process.execPath,
  args: ['-e', 'process.on("SIGTERM", () => {}); process.title = "stubborn"; setInterval(() => {}, 1000)'],
};

describe('an owned process', () => {
  test('ends when asked, and says by what', async () => {
    const child = await startOwnedProcess(sleeper);
    expect(await child.stop()).toEqual({ code: null, signal: 'SIGTERM' });
    expect(child.alive()).toBe(false);
  });

  test('that ignores the request is killed after the deadline', async () => {
    const child = await startOwnedProcess(stubborn);
    // Its title is set once it ignores the signal.
    const deaf = async () => (commandOf(child.pid)?.startsWith('stubborn') ? true : undefined);
    await poll({ attempt: deaf, everyMs: 20, withinMs: 10_000, tooLate: () => new Error('it never began') });
    expect(await child.stop(100)).toEqual({ code: null, signal: 'SIGKILL' });
  });

  test('that is frozen can still be stopped', async () => {
    const child = await startOwnedProcess(sleeper);
    child.signal('SIGSTOP');
    expect((await child.stop()).signal).toBe('SIGTERM');
  });

  test('that cannot be started is an error and not a crash', async () => {
    await expect(startOwnedProcess({ command: '/no/such/program', args: [] })).rejects.toThrow(/ENOENT/);
  });

  test('does not outlive a parent that was killed', async () => {
    const compiled = fileURLToPath(new URL('../dist/index.js', import.meta.url));
    const script = `
      const { startOwnedProcess } = await import(${JSON.stringify(compiled)});
      const child = await startOwnedProcess(${JSON.stringify(sleeper)});
      console.log(child.pid);
      setInterval(() => {}, 1000);`;
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = await once(parent.stdout, 'data');
    const pid = Number(String(line));
    expect(commandOf(pid)).toContain('setInterval');
    parent.kill('SIGKILL');
    const gone = async () => (commandOf(pid)?.includes('setInterval') ? undefined : true);
    const tooLate = () => new Error(`process ${pid} outlived its parent`);
    expect(await poll({ attempt: gone, everyMs: 20, withinMs: 5_000, tooLate })).toBe(true);
  });
});
