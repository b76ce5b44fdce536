export interface GroupCommitOptions<Item, Result> {
  /** Longest time an item waits for company, in milliseconds. */
  maxWaitMs: number;
  maxItems: number;
  /** Batches under way at once. */
  concurrency: number;
  /** Two items with the same key never share a batch. */
  keyOf?: (item: Item) => string;
  /** Commits one batch; results in the order of the items. A thrown error fails every item of the batch. */
  commit: (items: Item[]) => Promise<(Result | Error)[]>;
}

interface Waiting<Item, Result> {
  item: Item;
  resolve: (result: Result) => void;
  reject: (error: unknown) => void;
}

/**
 * Gathers items for a few milliseconds and commits them together: one fsync for many (1.9x the turns a second, PERFORMANCE "group commit").
 * A lone item on an idle committer goes at once.
 */
export class GroupCommit<Item, Result> {
  #waiting: Waiting<Item, Result>[] = [];
  #timer: NodeJS.Timeout | undefined;
  #running = 0;
  #idle: (() => void)[] = [];

  constructor(private readonly options: GroupCommitOptions<Item, Result>) {}

  add(item: Item): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      this.#schedule();
    });
  }

  /** Resolves when nothing is waiting or running. */
  async drain(): Promise<void> {
    if (this.#waiting.length === 0 && this.#running === 0) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #schedule(): void {
    if (this.#running >= this.options.concurrency) return;
    if (this.#running === 0 || this.#waiting.length >= this.options.maxItems) {
      // In a microtask, so that items added in the same tick share the batch.
      queueMicrotask(() => this.#flush());
    } else {
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined;
        this.#flush();
      }, this.options.maxWaitMs);
    }
  }

  #flush(): void {
    if (this.#waiting.length === 0 || this.#running >= this.options.concurrency) return;
    const batch = this.#take();
    this.#running++;
    this.options
      .commit(batch.map((entry) => entry.item))
      .then(
        (results) => {
          for (const [index, entry] of batch.entries()) {
            const result = results[index];
            if (result instanceof Error || result === undefined)
              entry.reject(result ?? new Error('no result for a committed item'));
            else entry.resolve(result);
          }
        },
        (error: unknown) => {
          for (const entry of batch) entry.reject(error);
        },
      )
      .finally(() => {
        this.#running--;
        if (this.#waiting.length > 0) this.#schedule();
        else if (this.#running === 0) for (const resolve of this.#idle.splice(0)) resolve();
      });
    if (this.#waiting.length > 0) this.#schedule();
  }

  #take(): Waiting<Item, Result>[] {
    const { keyOf, maxItems } = this.options;
    if (!keyOf) return this.#waiting.splice(0, maxItems);
    const seen = new Set<string>();
    const taken: Waiting<Item, Result>[] = [];
    const left: Waiting<Item, Result>[] = [];
    for (const entry of this.#waiting) {
      const key = keyOf(entry.item);
      if (taken.length < maxItems && !seen.has(key)) {
        seen.add(key);
        taken.push(entry);
      } else left.push(entry);
    }
    this.#waiting = left;
    return taken;
  }
}
