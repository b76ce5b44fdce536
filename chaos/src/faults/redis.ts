import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { Fault, Scene } from './fault.js';
import { interrupt } from './interrupt.js';

async function asked<T>(scene: Scene, use: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(scene.stage.redis.url);
  redis.on('error', () => undefined);
  try {
    return await use(redis);
  } finally {
    redis.disconnect();
  }
}

export const redisKill: Fault = {
  name: 'redis-kill',
  what: 'SIGKILL of Redis, started again after a second',
  share: 3,
  outage: true,
  strike: (scene) =>
    interrupt(scene, async () => {
      await scene.stage.redis.kill();
      await sleep(1_000);
      await scene.stage.redis.restart();
    }),
};

export const redisWipe: Fault = {
  name: 'redis-wipe',
  what: 'FLUSHALL',
  share: 1,
  outage: true,
  strike: (scene) =>
    interrupt(scene, async () => {
      await asked(scene, (redis) => redis.flushall());
    }),
};

export const redisFreeze: Fault = {
  name: 'redis-freeze',
  what: 'SIGSTOP of Redis for 8 s, past every lock',
  share: 1,
  outage: true,
  strike: (scene) =>
    interrupt(scene, async () => {
      scene.stage.redis.freeze();
      await sleep(8_000);
      scene.stage.redis.resume();
    }),
};

export const redisClients: Fault = {
  name: 'redis-clients',
  what: 'CLIENT KILL of every connection, five times in a second',
  share: 2,
  outage: true,
  strike: (scene) =>
    interrupt(scene, async () => {
      await asked(scene, async (redis) => {
        for (let times = 0; times < 5; times++) {
          for (const type of ['pubsub', 'normal']) await redis.call('CLIENT', 'KILL', 'TYPE', type, 'SKIPME', 'yes');
          await sleep(200);
        }
      });
    }),
};

export const redisAof: Fault = {
  name: 'redis-aof',
  what: 'the append-only file cannot be written for 5 s: Redis refuses every write',
  share: 1,
  outage: true,
  strike: (scene) =>
    interrupt(scene, async () => {
      scene.stage.redis.fillDisk();
      await sleep(5_000);
      scene.stage.redis.freeDisk();
    }),
};
