import { Redis } from 'ioredis';
import type { TestDatabase } from './database.js';
import type { TestRedis } from './redis.js';
import { waitFor } from './wait-for.js';

/** Handles that keep a process alive; pools and clients that were not closed show up here. */
const COUNTED = new Set(['TCPSocketWrap', 'TCPServerWrap', 'PipeWrap', 'Worker', 'ProcessWrap']);

function countHandles(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) {
    if (COUNTED.has(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}

/**
 * Remembers the sockets, servers, threads and children open now; the function it gives waits until no more than these
 * are open. Call it before the code under test starts and check after its shutdown.
 */
export function watchHandles(): (timeoutMs?: number) => Promise<void> {
  const before = countHandles();
  return async (timeoutMs = 5_000) => {
    const leaked = (): string[] =>
      [...countHandles()].flatMap(([kind, count]) =>
        count > (before.get(kind) ?? 0) ? [`${count - (before.get(kind) ?? 0)} ${kind}`] : [],
      );
    await waitFor(() => leaked().length === 0, { timeoutMs, what: 'handles to be closed' }).catch(() => {
      throw new Error(`left open: ${leaked().join(', ')}`);
    });
  };
}

/** Waits until the code under test holds no connection to these. @throws with the number it still holds. */
export async function expectNoConnections(
  parts: { database?: TestDatabase; redis?: TestRedis },
  timeoutMs = 5_000,
): Promise<void> {
  if (parts.database) {
    const { database } = parts;
    await waitFor(async () => (await database.countConnections()) === 0, {
      timeoutMs,
      what: 'connections to Postgres to be closed',
    });
  }
  if (!parts.redis) return;
  const client = new Redis(parts.redis.url);
  try {
    const count = async (): Promise<number> =>
      String(await client.call('CLIENT', 'LIST'))
        .trim()
        .split('\n').length;
    await waitFor(async () => (await count()) === 1, { timeoutMs, what: 'connections to Redis to be closed' });
  } finally {
    client.disconnect();
  }
}
