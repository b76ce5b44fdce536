export * from './keys.js';
export * from './ports.js';
