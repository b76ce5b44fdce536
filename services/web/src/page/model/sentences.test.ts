import { describe, expect, it } from '@jest/globals';
import { completeSentences } from './sentences.js';

describe('completeSentences', () => {
  it('tells whole sentences as they come and the tail at the end', () => {
    expect(completeSentences('Sour it longer. Bake it', 0, false)).toEqual({ spoken: 'Sour it longer.', upTo: 15 });
    expect(completeSentences('Sour it longer. Bake it', 15, false)).toEqual({ spoken: '', upTo: 15 });
    expect(completeSentences('Sour it longer. Bake it', 15, true)).toEqual({ spoken: 'Bake it', upTo: 23 });
  });

  it('waits at the end of the text, where a stop may belong to a number', () => {
    expect(completeSentences('It is 3.', 0, false).spoken).toBe('');
    expect(completeSentences('It is 3.5 hours. Then', 0, false).spoken).toBe('It is 3.5 hours.');
  });

  it('reads Markdown as words', () => {
    expect(completeSentences('**Bold** and [here](https://a.b).', 0, true).spoken).toBe('Bold and here.');
  });
});
