import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { defaultGeminiModel } from './gemini-model.js';
import { makeModelLadder } from './model-ladder.js';

describe('the model ladder', () => {
  const names = (options: Parameters<typeof makeModelLadder>[0]) =>
    makeModelLadder(options).map(({ provider, model }) => `${provider}/${model}`);

  it('is what has a key or an address, then the built-in answerer', () => {
    expect(names({})).toEqual(['builtin/extractive-1']);
    expect(names({ openai: { baseUrl: 'http://localhost:1/v1', model: 'm' } })).toEqual([
      'openai/m',
      'builtin/extractive-1',
    ]);
    expect(names({ gemini: { apiKey: 'a' }, openai: { apiKey: 'b', model: 'm' } })).toEqual([
      'gemini/gemini-3.8-flash',
      'openai/m',
      'builtin/extractive-1',
    ]);
  });

  it('takes the Gemini model that .env.example names where none is chosen', () => {
    const example = readFileSync(new URL('../../../.env.example', import.meta.url), 'utf8');
    expect(/^GEMINI_MODEL=(\S+)/m.exec(example)?.[1]).toBe(defaultGeminiModel);
  });

  it('follows the order it is told, each rung once', () => {
    const options = { gemini: { apiKey: 'a', model: 'g' }, openai: { apiKey: 'b', model: 'm' } };
    expect(names({ ...options, ladder: ['openai', 'gemini', 'openai'] })).toEqual(['openai/m', 'gemini/g']);
  });

  it('names the variable a rung lacks', () => {
    expect(() => makeModelLadder({ ladder: ['gemini'] })).toThrow('GOOGLE_API_KEY');
    expect(() => makeModelLadder({ ladder: ['openai'] })).toThrow('OPENAI_BASE_URL');
  });
});
