import { describe, expect, jest, test } from '@jest/globals';
import { delta, event, started } from './testing/scripted-gateway.js';
import { LiveTurn } from './turn.js';
import { Listeners } from './wire/listeners.js';

const nothing = () => undefined;
const make = () => new LiveTurn({ idempotencyKey: 'k', message: 'hello', onCancel: nothing, onAccepted: nothing });
const queued = (position: number | null) => event('m1', 0, { type: 'queued', position, eta_ms: null });

describe('a turn', () => {
  test('is read from its first event on by whoever comes late, and each event once', async () => {
    const turn = make();
    turn.take(event('m1', 1, started));
    turn.take(event('m1', 2, delta('a')));
    const types: string[] = [];
    const reading = (async () => {
      for await (const { type } of turn) types.push(type);
    })();
    turn.take(event('m1', 2, delta('a')));
    turn.take(event('m1', 3, { type: 'cancelled' }));
    await reading;
    expect(types).toEqual(['started', 'delta', 'cancelled']);
  });

  test('takes an unnumbered place in the line as news only when it has changed, and before the numbered events', () => {
    const turn = make();
    expect([queued(3), queued(3), queued(2)].map((each) => turn.take(each))).toEqual(['taken', 'repeat', 'taken']);
    turn.take(event('m1', 1, started));
    expect(turn.take(queued(1))).toBe('repeat');
    expect(turn.lastSeq).toBe(1);
  });

  test('takes nothing after its end', () => {
    const turn = make();
    turn.take(event('m1', 1, { type: 'cancelled' }));
    expect(turn.take(event('m1', 2, delta('late')))).toBe('repeat');
    expect(turn.text).toBe('');
  });
});

describe('listeners', () => {
  test('that throw keep nobody else from hearing', () => {
    const report = jest.spyOn(globalThis, 'queueMicrotask').mockImplementation(nothing);
    const heard: string[] = [];
    const listeners = new Listeners<[string]>();
    listeners.add(() => {
      throw new Error('mine');
    });
    const leave = listeners.add((what) => heard.push(what));
    listeners.tell('one');
    leave();
    listeners.tell('two');
    expect(heard).toEqual(['one']);
    expect(report).toHaveBeenCalledTimes(2);
    report.mockRestore();
  });
});
