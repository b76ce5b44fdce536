export * from './chat-model.js';
export * from './embeddings/embedding-model.js';
export * from './model-error.js';
