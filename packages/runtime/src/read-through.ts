export interface ReadThroughOptions<V> {
  /** Asked for a key that is not known (any more). Its error is the caller's and is not kept. */
  read(key: string): Promise<V>;
  /** How long a value is good, in milliseconds; 0 keeps it not at all. */
  keepMs(value: V): number;
  /** Over this many the one read longest ago is forgotten. */
  max: number;
}

/** Values read when first asked for and kept for a while. */
export interface ReadThrough<V> {
  get(key: string): Promise<V>;
  /** The value, where it is known and still good. */
  peek(key: string): V | undefined;
  /** Forgets what matches; a read that is under way for it is not kept. */
  forget(matches: (key: string, value: V | undefined) => boolean): void;
}

/**
 * A cache in front of Postgres: however many ask for a key at once, it is read once. Without that, five hundred fans of one creator who come
 * in the same moment take every connection for the same row.
 */
export function makeReadThrough<V>({ read, keepMs, max }: ReadThroughOptions<V>): ReadThrough<V> {
  const kept = new Map<string, { value: V; until: number }>();
  const reading = new Map<string, Promise<V>>();

  function keep(key: string, value: V): void {
    kept.delete(key);
    const goodMs = keepMs(value);
    if (goodMs > 0) kept.set(key, { value, until: Date.now() + goodMs });
    if (kept.size > max) {
      const oldest = kept.keys().next().value;
      if (oldest !== undefined) kept.delete(oldest);
    }
  }

  function peek(key: string): V | undefined {
    const entry = kept.get(key);
    return entry && entry.until > Date.now() ? entry.value : undefined;
  }

  function readOnce(key: string): Promise<V> {
    const running = reading.get(key);
    if (running) return running;
    const started: Promise<V> = read(key)
      .then((value) => {
        // Forgotten meanwhile: it may have been read before the change.
        if (reading.get(key) === started) keep(key, value);
        return value;
      })
      .finally(() => {
        if (reading.get(key) === started) reading.delete(key);
      });
    reading.set(key, started);
    return started;
  }

  return {
    async get(key) {
      const known = peek(key);
      return known === undefined ? readOnce(key) : known;
    },
    peek,
    forget(matches) {
      for (const [key, { value }] of kept) if (matches(key, value)) kept.delete(key);
      for (const key of reading.keys()) if (matches(key, undefined)) reading.delete(key);
    },
  };
}
