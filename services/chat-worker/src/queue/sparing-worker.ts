import { sleep } from '@sidestage/runtime';
import { type Job, type Processor, Worker, type WorkerOptions } from 'bullmq';

/** How often a worker that has as much as it can begin looks whether it has room again. Milliseconds. */
const roomLookMs = 50;

/**
 * A BullMQ worker that fetches no more than it can begin. BullMQ's own fetches until `concurrency` is reached and only then hands out the first job: what a
 * fresh worker has fetched and not begun waits for it, while others may be idle, and goes back to the line's head, before everything else, should it die.
 */
export class SparingWorker<Data> extends Worker<Data> {
  /** Fetched and not handed out. */
  #onTheirWay = 0;
  readonly #hasRoom: (onTheirWay: number) => boolean;

  constructor(
    name: string,
    handle: (job: Job<Data>, token?: string) => Promise<void>,
    { hasRoom, ...options }: WorkerOptions & { hasRoom: (onTheirWay: number) => boolean },
  ) {
    const counted: Processor<Data> = (job, token) => {
      this.#onTheirWay = Math.max(0, this.#onTheirWay - 1);
      return handle(job, token);
    };
    super(name, counted, options);
    this.#hasRoom = hasRoom;
  }

  protected override async moveToActive(token: string, name?: string): Promise<Job<Data>> {
    // As where the queue is empty, but for BullMQ's belief that it is: that would wait for the word about a new job, which is another worker's.
    const nothing = undefined as unknown as Job<Data>;
    if (!this.#hasRoom(this.#onTheirWay)) {
      // The loop that fetches also hands out: what is fetched is not kept waiting. It never turns without a pause.
      await sleep(this.#onTheirWay === 0 ? roomLookMs : 1);
      return nothing;
    }
    const job: Job<Data> | undefined = await super.moveToActive(token, name);
    if (!job) return nothing;
    this.#onTheirWay += 1;
    return job;
  }
}
