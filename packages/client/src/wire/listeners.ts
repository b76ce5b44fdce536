/** Those who want to hear of one thing. */
export class Listeners<Arguments extends unknown[]> {
  #all = new Set<(...heard: Arguments) => void>();

  /** @returns ends it */
  add(listener: (...heard: Arguments) => void): () => void {
    // A wrapper of its own, so that the same function may be added twice.
    const entry = (...heard: Arguments) => listener(...heard);
    this.#all.add(entry);
    return () => {
      this.#all.delete(entry);
    };
  }

  /** A listener that throws keeps neither the others nor the reply from going on; its error is the platform's to report. */
  tell(...heard: Arguments): void {
    for (const listener of [...this.#all]) {
      try {
        listener(...heard);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
