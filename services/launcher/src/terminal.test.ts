import { describe, expect, test } from '@jest/globals';
import { makeTerminal } from './terminal.js';

function record(isTTY: boolean, noColor: boolean) {
  const parts: string[] = [];
  let clock = 0;
  const output = { isTTY, write: (part: string) => parts.push(part) };
  return {
    terminal: makeTerminal(output, noColor, () => clock),
    pass: (ms: number) => {
      clock += ms;
    },
    text: () => parts.join(''),
  };
}

describe('the terminal', () => {
  test('shows one plain line a step with its time where nobody watches', async () => {
    const { terminal, pass, text } = record(false, false);
    await terminal.step(
      'tables',
      async () => pass(1_234),
      () => '2 migrations',
    );
    expect(text()).toMatch(/^ {2}✓ tables +1\.2 s {2}2 migrations\n$/);
  });

  test('colours on a terminal, and not where NO_COLOR is set', async () => {
    const colourful = record(true, false);
    const plain = record(true, true);
    for (const { terminal } of [colourful, plain]) terminal.notice('x');
    expect(colourful.text()).toContain('\u001b[33m');
    expect(plain.text()).not.toContain('\u001b[33m');
  });

  test('says every few seconds how a long step goes where lines cannot be rewritten', async () => {
    const { terminal, pass, text } = record(false, false);
    await terminal.step('demo creators', async (progress) => {
      for (let second = 1; second <= 12; second += 1) {
        pass(1_000);
        progress(`${second} of 18`);
      }
    });
    expect(
      text()
        .split('\n')
        .filter((line) => line.includes('of 18')),
    ).toHaveLength(2);
  });

  test('shows a failure as what, why and what mends it', () => {
    const { terminal, text } = record(false, false);
    terminal.failure({ what: 'Port 8000 is in use', why: 'process 7 listens on it', mend: 'kill 7' });
    expect(
      text()
        .trimEnd()
        .split('\n')
        .map((line) => line.trim()),
    ).toEqual(['✗ Port 8000 is in use', 'process 7 listens on it', '→ kill 7']);
  });
});
