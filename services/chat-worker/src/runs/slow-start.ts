/** Turns a fresh worker begins at once. */
const firstWindow = 8;
/** While there is more to begin than may, one more may after this long: a model that hangs must not stop the worker. Milliseconds. */
const patienceMs = 100;

/** A turn's place among those that begin. Both may be called more than once, in any order. */
export interface Beginning {
  /** Its first words are there: the worst of its work is done. */
  spoke(): void;
  /** It has ended, or goes on elsewhere. */
  ended(): void;
}

/**
 * How many turns a worker may begin at once: few when it has just started, and with each that gets to its first words one more, so twice as many each round, as
 * TCP does it (RFC 5681, slow start). A worker that begins all it has fetched at once ends none until nearly all are done; with its code still cold,
 * on a machine where others start too, it may not live that long.
 */
export class SlowStart {
  #window = firstWindow;
  #beginning = 0;
  #waiting: (() => void)[] = [];
  #patience: NodeJS.Timeout | undefined;

  /** Whether one more could begin at once, beside so many that are on their way here. */
  hasRoom(onTheirWay: number): boolean {
    const room = this.#waiting.length === 0 && this.#beginning + onTheirWay < this.#window;
    if (!room) this.#bePatient();
    return room;
  }

  /** Resolves when a turn may begin, in the order of asking. */
  begin(): Promise<Beginning> {
    return new Promise((resolve) => {
      this.#waiting.push(() => resolve(this.#admitted()));
      this.#admit();
    });
  }

  #admitted(): Beginning {
    let begins = true;
    const leave = (grow: number): void => {
      if (!begins) return;
      begins = false;
      this.#beginning -= 1;
      this.#window += grow;
      this.#admit();
    };
    return { spoke: () => leave(1), ended: () => leave(0) };
  }

  #admit(): void {
    while (this.#beginning < this.#window) {
      const next = this.#waiting.shift();
      if (!next) break;
      this.#beginning += 1;
      next();
    }
    if (this.#waiting.length > 0) this.#bePatient();
  }

  #bePatient(): void {
    this.#patience ??= setTimeout(() => {
      this.#patience = undefined;
      this.#window += 1;
      this.#admit();
    }, patienceMs);
  }
}
