/** Who waits for a load: `urgent` may turn true while it is under way. */
export interface LoadTicket {
  /** A search waits for it. */
  urgent: boolean;
}

interface Waiting {
  ticket: LoadTicket;
  start: () => void;
}

/** Lets at most `size` loads run at once. Those a search waits for go first; another one runs only while nothing else does. */
export class LoadLane {
  #running = 0;
  readonly #waiting: Waiting[] = [];

  constructor(private readonly size: number) {}

  async run<T>(ticket: LoadTicket, work: () => Promise<T>): Promise<T> {
    await new Promise<void>((start) => {
      this.#waiting.push({ ticket, start });
      this.startNext();
    });
    try {
      return await work();
    } finally {
      this.#running -= 1;
      this.startNext();
    }
  }

  /** To be called when a waiting ticket has become urgent. */
  startNext(): void {
    while (this.#running < this.size) {
      const urgent = this.#waiting.findIndex(({ ticket }) => ticket.urgent);
      if (urgent < 0 && this.#running > 0) return;
      const [next] = this.#waiting.splice(Math.max(0, urgent), 1);
      if (!next) return;
      this.#running += 1;
      next.start();
    }
  }
}
