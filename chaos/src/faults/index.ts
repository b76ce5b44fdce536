import type { Fault } from './fault.js';
import { modelFaults } from './model.js';
import { netCut, netDelay, netHalfOpen, netRefuse, netSlowReader } from './network.js';
import { postgresBackends, postgresKill, postgresLock, postgresSlow, postgresStop } from './postgres.js';
import {
  gatewayFreeze,
  gatewayKill,
  gatewayRoll,
  retrievalFreeze,
  retrievalKill,
  retrievalRoll,
  workerFreeze,
  workerKill,
  workerRoll,
} from './processes.js';
import { redisAof, redisClients, redisFreeze, redisKill, redisWipe } from './redis.js';

export type { Fault, Scene, Struck } from './fault.js';

/** Every fault there is, in the order of the table. */
export const faults: readonly Fault[] = [
  workerKill,
  workerFreeze,
  workerRoll,
  gatewayKill,
  gatewayFreeze,
  gatewayRoll,
  retrievalKill,
  retrievalFreeze,
  retrievalRoll,
  redisKill,
  redisFreeze,
  redisWipe,
  redisClients,
  redisAof,
  postgresBackends,
  postgresStop,
  postgresKill,
  postgresLock,
  postgresSlow,
  netDelay,
  netCut,
  netRefuse,
  netHalfOpen,
  netSlowReader,
  ...modelFaults,
];
