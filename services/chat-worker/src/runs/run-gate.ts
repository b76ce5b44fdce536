/**
 * Lets turns run together, and one that may kill its process run alone on it: the lone one waits for those under way, and nobody begins while
 * it waits or runs. In the order of arrival, so nobody starves.
 */
export class RunGate {
  #shared = 0;
  #alone = false;
  #waiting: { alone: boolean; go: () => void }[] = [];

  /** Resolves with the release, to be called once. */
  enter(alone: boolean): Promise<() => void> {
    return new Promise((resolve) => {
      this.#waiting.push({
        alone,
        go: () => {
          if (alone) this.#alone = true;
          else this.#shared += 1;
          let left = false;
          resolve(() => {
            if (left) return;
            left = true;
            if (alone) this.#alone = false;
            else this.#shared -= 1;
            this.#admit();
          });
        },
      });
      this.#admit();
    });
  }

  #admit(): void {
    for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
      if (this.#alone || (next.alone && this.#shared > 0)) return;
      this.#waiting.shift();
      next.go();
    }
  }
}
