/** A round of the event loop that comes this much late has as much to do as the process can carry. Milliseconds. */
const lateMs = 25;
const roundMs = 5;
const mostARound = 8;

/**
 * Lets turns begin as fast as the process carries them: many a round while its event loop keeps up, one a round while it does not. A worker that
 * begins all it has fetched at once ends none of it until nearly all is done; where workers die or are rolled meanwhile, that is never.
 */
export class Pace {
  #waiting: (() => void)[] = [];
  #running = false;

  /** Resolves when a turn may begin, in the order of asking: at once where nothing else begins. */
  begin(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#running) {
        this.#waiting.push(resolve);
        return;
      }
      resolve();
      this.#nextRound();
    });
  }

  #nextRound(): void {
    this.#running = true;
    const due = performance.now() + roundMs;
    setTimeout(() => {
      const count = performance.now() - due > lateMs ? 1 : mostARound;
      for (const go of this.#waiting.splice(0, count)) go();
      if (this.#waiting.length > 0) this.#nextRound();
      else this.#running = false;
    }, roundMs);
  }
}
