export { commandOf } from './command-of.js';
export { EmbeddedError } from './embedded-error.js';
export { type FindRedisOptions, findOnPath, findRedis, type RedisProgram } from './find-redis.js';
export { type OwnedProcess, type OwnedProcessOptions, type ProcessExit, startOwnedProcess } from './owned-process.js';
export { findFreePort, isPortFree } from './ports.js';
export { type EmbeddedPostgres, type StartPostgresOptions, startPostgres } from './postgres.js';
export { removePostgresFolder } from './postgres-folder.js';
export { type EmbeddedRedis, type StartRedisOptions, startRedis } from './redis.js';
export { makePrivateFolder } from './server-user.js';
