import { describe, expect, it } from '@jest/globals';
import { parseFrame } from './frames.js';

describe('parseFrame', () => {
  it('passes what this client knows', () => {
    const delta = { type: 'delta', text: 'a', seq: 1, message_id: 'm', conversation_id: 'c' };
    expect(parseFrame(JSON.stringify(delta))).toEqual(delta);
    expect(parseFrame('{"type":"pong"}')).toEqual({ type: 'pong' });
  });

  it('drops what is broken, half or unknown instead of passing it on', () => {
    for (const data of [
      '',
      '{',
      '[]',
      '{"type":"delta","seq":1}',
      '{"type":"delta","message_id":"m","seq":"1","text":"a"}',
      '{"type":"party"}',
      '{"type":"completed","seq":1,"message_id":"m"}',
    ]) {
      expect(parseFrame(data)).toBeNull();
    }
  });
});
