import { makeBuiltinAnswerer } from './answerer/builtin-answerer.js';
import type { ChatModel, ModelProvider } from './chat-model.js';
import type { ModelDeadlines } from './deadlines.js';
import { makeGeminiModel } from './gemini-model.js';
import { makeOpenAiModel } from './openai-model.js';

/** What configuration says; every field may be unset. */
export interface ModelLadderOptions {
  /** Order of preference; default: those with a key or an address, then `builtin`. */
  ladder?: readonly ModelProvider[] | undefined;
  gemini?: { apiKey?: string | undefined; model?: string | undefined; baseUrl?: string | undefined };
  openai?: { apiKey?: string | undefined; model?: string | undefined; baseUrl?: string | undefined };
  deadlines?: ModelDeadlines | undefined;
}

/**
 * The models to try, best first. A rung named in `ladder` that has no key (gemini) or neither key nor address (openai) throws an Error that
 * names the variable to set.
 */
export function makeModelLadder(options: ModelLadderOptions): ChatModel[] {
  const order = options.ladder && options.ladder.length > 0 ? options.ladder : defaultLadder(options);
  return [...new Set(order)].map((provider) => makeRung(provider, options));
}

function defaultLadder({ gemini, openai }: ModelLadderOptions): ModelProvider[] {
  const ladder: ModelProvider[] = [];
  if (gemini?.apiKey) ladder.push('gemini');
  if (openai?.apiKey || openai?.baseUrl) ladder.push('openai');
  return [...ladder, 'builtin'];
}

function makeRung(provider: ModelProvider, { gemini, openai, deadlines }: ModelLadderOptions): ChatModel {
  if (provider === 'builtin') return makeBuiltinAnswerer();
  if (provider === 'gemini') {
    if (!gemini?.apiKey) throw new Error('MODEL_LADDER names gemini, but GOOGLE_API_KEY is not set');
    return makeGeminiModel({ ...gemini, apiKey: gemini.apiKey, deadlines });
  }
  if (!openai?.apiKey && !openai?.baseUrl) {
    throw new Error('MODEL_LADDER names openai, but neither OPENAI_API_KEY nor OPENAI_BASE_URL is set');
  }
  return makeOpenAiModel({ ...openai, deadlines });
}
