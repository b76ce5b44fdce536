export type { ModelBehaviour, ModelServer, RecordedRequest } from './behaviour.js';
export { startGeminiServer } from './gemini-server.js';
export type { ModelServerOptions } from './http-server.js';
export { type ModelProcess, startModelProcess } from './model-process.js';
export { startOpenAiServer } from './openai-server.js';
