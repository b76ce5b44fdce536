import { Redis } from 'ioredis';

export interface KeyCounts {
  /** By family: ids and numbers of a key's name left out. */
  withEnd: Record<string, number>;
  withoutEnd: Record<string, number>;
}

/** What Redis says of a key that is not there. */
const gone = -2;

const familyOf = (key: string): string =>
  key
    .replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '*')
    .replaceAll(/\b(key|user):\*/g, '$1')
    .replaceAll(/[\w-]{32,}/g, '*')
    .replaceAll(/\d+/g, 'n');

/** All keys of a Redis, counted. */
export async function countKeys(url: string): Promise<KeyCounts> {
  const redis = new Redis(url);
  const counts: KeyCounts = { withEnd: {}, withoutEnd: {} };
  try {
    for (let cursor = '0', done = false; !done; done = cursor === '0') {
      const [next, keys] = await redis.scan(cursor, 'COUNT', 1_000);
      cursor = next;
      const ends = await Promise.all(keys.map((key) => redis.pttl(key)));
      keys.forEach((key, index) => {
        const end = ends[index] ?? gone;
        // Some end between the two questions.
        if (end === gone) return;
        const kind = end >= 0 ? counts.withEnd : counts.withoutEnd;
        kind[familyOf(key)] = (kind[familyOf(key)] ?? 0) + 1;
      });
    }
  } finally {
    redis.disconnect();
  }
  return counts;
}

export const total = (counts: Record<string, number>): number =>
  Object.values(counts).reduce((sum, count) => sum + count, 0);
