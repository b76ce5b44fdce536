export type { ModelBehaviour, ModelServer, RecordedRequest } from './behaviour.js';
export { startGeminiServer } from './gemini-server.js';
export type { ModelServerOptions } from './http-server.js';
export { startOpenAiServer } from './openai-server.js';
