import { Redis } from 'ioredis';

export interface KeyCounts {
  /** By family: ids and numbers of a key's name left out. They end within a day, whatever happens. */
  ending: Record<string, number>;
  /** Without an end, or with a later one: what these grow by is never given back. */
  lasting: Record<string, number>;
}

/** The longest that anything of a turn may stay in Redis: its idempotency key does. Milliseconds. */
const dayMs = 24 * 3_600_000;

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
  const counts: KeyCounts = { ending: {}, lasting: {} };
  try {
    for (let cursor = '0', done = false; !done; done = cursor === '0') {
      const [next, keys] = await redis.scan(cursor, 'COUNT', 1_000);
      cursor = next;
      const ends = await Promise.all(keys.map((key) => redis.pttl(key)));
      keys.forEach((key, index) => {
        const end = ends[index] ?? gone;
        // Some end between the two questions.
        if (end === gone) return;
        const kind = end >= 0 && end <= dayMs ? counts.ending : counts.lasting;
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
