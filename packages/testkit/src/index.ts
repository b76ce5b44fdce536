export { cacheFolder } from './config.js';
export { makeTestDatabase, type TestDatabase } from './database.js';
export * from './model-servers/index.js';
export { startTestParts, type TestParts } from './parts.js';
export { makeTestRedis, type TestRedis } from './redis.js';
export { waitFor } from './wait-for.js';
