import { sleep } from '@sidestage/runtime';
import type { CreatorRef, WordStats } from '@sidestage/store';

/** Creators whose counts are kept. */
const kept = 100;
/** A search does not wait longer for counts that were never read; it weighs every word the same then. Milliseconds. */
const patienceMs = 300;

interface Known {
  knowledgeVersion: number;
  stats: WordStats | null;
  /** Under way. */
  reading: Promise<void> | null;
}

/** In how many passages of a creator each word stands, read when it is first asked for and again, while the old counts serve, when knowledge has moved. */
export function makeWordStats(read: (creator: CreatorRef) => Promise<WordStats>) {
  const creators = new Map<string, Known>();

  function refresh(creator: CreatorRef, known: Known, knowledgeVersion: number): Promise<void> {
    known.reading ??= read(creator)
      .then(
        (stats) => {
          known.stats = stats;
          known.knowledgeVersion = knowledgeVersion;
        },
        // The old counts, or none, serve on; the next search tries again.
        () => undefined,
      )
      .finally(() => {
        known.reading = null;
      });
    return known.reading;
  }

  return async (creator: CreatorRef, knowledgeVersion: number): Promise<WordStats | null> => {
    const name = `${creator.tenant_id}:${creator.creator_id}`;
    const known = creators.get(name) ?? { knowledgeVersion: -1, stats: null, reading: null };
    creators.delete(name);
    creators.set(name, known);
    const oldest = creators.keys().next();
    if (creators.size > kept && !oldest.done) creators.delete(oldest.value);
    if (known.knowledgeVersion !== knowledgeVersion) {
      const reading = refresh(creator, known, knowledgeVersion);
      if (known.stats === null) await Promise.race([reading, sleep(patienceMs)]);
    }
    return known.stats;
  };
}
