import { expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { makeTestRedis } from './redis.js';
import { waitFor } from './wait-for.js';

test('a Redis whose disk is full refuses writes, reads on, and writes again when there is room', async () => {
  const server = await makeTestRedis({ appendonly: true });
  const redis = new Redis(server.url);
  try {
    await redis.set('kept', '1');
    server.fillDisk();
    await waitFor(() =>
      redis.set('refused', '1').then(
        () => false,
        (error: Error) => error.message.startsWith('MISCONF'),
      ),
    );
    expect(await redis.get('kept')).toBe('1');
    server.freeDisk();
    await waitFor(() => redis.set('again', '1'));
  } finally {
    redis.disconnect();
    await server.stop();
  }
});
