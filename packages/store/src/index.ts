export * from './accept-turns.js';
export * from './database.js';
export * from './migrate.js';
export * from './run-turns.js';
export * from './settle-turns.js';
export * from './turn-rows.js';
