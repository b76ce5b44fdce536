import type OpenAI from 'openai';
import type { ModelError } from './model-error.js';

export const openAiBaseUrl = 'https://api.openai.com/v1';

export interface OpenAiClient {
  client: OpenAI;
  toModelError(error: unknown, began: boolean): ModelError;
  isContentFilter(error: unknown): boolean;
}

let sdk: Promise<typeof import('./openai-sdk.js')> | undefined;

/**
 * Opens a client of OpenAI's SDK. Only who asks OpenAI loads it (it is a seventh of a worker's start), and does so at once, so that no fan waits
 * for it.
 */
export function openOpenAi(options: {
  apiKey: string | undefined;
  baseUrl: string;
  timeoutMs: number;
}): () => Promise<OpenAiClient> {
  sdk ??= import('./openai-sdk.js');
  const opening = sdk.then(({ makeOpenAi, toOpenAiError, isContentFilter }) => ({
    client: makeOpenAi(options),
    toModelError: toOpenAiError,
    isContentFilter,
  }));
  // Whoever asks for it has the error.
  opening.catch(() => undefined);
  return () => opening;
}
