export * from './admission.js';
export * from './dispatcher.js';
export { recoveredSeqBase } from './follower.js';
export * from './keys.js';
export * from './ports.js';
export * from './reply-reader.js';
export * from './reply-writer.js';
export * from './stored-outcome.js';
export * from './waiting-line.js';
