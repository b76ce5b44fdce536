import type { Logger } from './logger.js';

type Cleanup = () => Promise<unknown> | unknown;

/** What was acquired, released in reverse order, once, each step under a deadline. */
export class Lifecycle {
  #cleanups: { name: string; run: Cleanup }[] = [];
  #closing: Promise<void> | undefined;
  #draining = false;

  constructor(
    private readonly logger: Logger,
    /** Longest time one cleanup may take, in milliseconds. */
    private readonly stepDeadlineMs = 15_000,
  ) {}

  /** True from the first sign of a shutdown on: readiness is off. */
  get draining(): boolean {
    return this.#draining;
  }

  /** Registers a cleanup: call it on the line after the acquisition. */
  onClose(name: string, run: Cleanup): void {
    this.#cleanups.push({ name, run });
  }

  /** Readiness flips first, then the cleanups run in reverse. Further calls get the same promise. */
  close(): Promise<void> {
    this.#draining = true;
    this.#closing ??= this.#run();
    return this.#closing;
  }

  async #run(): Promise<void> {
    for (const { name, run } of this.#cleanups.toReversed()) {
      let timer: NodeJS.Timeout | undefined;
      try {
        const deadline = new Promise<never>((_, reject) => {
          timer = setTimeout(
            () => reject(new Error(`took longer than ${this.stepDeadlineMs} ms`)),
            this.stepDeadlineMs,
          );
        });
        await Promise.race([Promise.resolve().then(run), deadline]);
      } catch (error) {
        this.logger.error({ err: error, step: name }, 'shutdown step failed');
      } finally {
        clearTimeout(timer);
      }
    }
  }
}

/**
 * Runs a service's `run` until SIGTERM or SIGINT, then closes it and exits. A failed start prints what is wrong and exits with 1.
 * An uncaught exception is logged and ends the process: its supervisor starts a clean one.
 */
export function runUntilSignal(run: () => Promise<{ lifecycle: Lifecycle; logger: Logger }>): void {
  run().then(
    ({ lifecycle, logger }) => {
      const stop = (signal: string) => {
        logger.info({ signal }, 'stopping');
        lifecycle.close().then(() => process.exit(0));
      };
      process.on('SIGTERM', stop);
      process.on('SIGINT', stop);
      process.on('uncaughtException', (error) => {
        logger.fatal({ err: error }, 'uncaught exception');
        process.exit(1);
      });
    },
    (error: unknown) => {
      process.stderr.write(
        `${error instanceof Error ? (error.name === 'ConfigError' ? error.message : (error.stack ?? error.message)) : String(error)}\n`,
      );
      process.exit(1);
    },
  );
}
