import type { OwnedProcess } from '@sidestage/embedded';
import type { DataServer } from './data-servers.js';
import { explain } from './launch-error.js';
import { askLive, type LiveWatchOptions, watchLiveness } from './live-watch.js';
import type { RunFile } from './run-file.js';
import { hostOf, type ServiceProcess, startService } from './service-process.js';
import { describeExit, makeSupervised, type Supervised, type SuperviseOptions } from './supervised.js';
import type { Terminal } from './terminal.js';

/** Longer than a service's own deadlines for draining. */
const SERVICE_STOP_WITHIN_MS = 25_000;
/** What a service without progress gets to end by itself. */
const STUCK_STOP_WITHIN_MS = 5_000;

/** Keeps every part of the fleet running, and ends them in the reverse order of their start. */
export class Keeper {
  readonly #cleanups: (() => Promise<unknown> | unknown)[] = [];
  #stopping: Promise<void> | undefined;

  constructor(
    private readonly runFile: RunFile,
    private readonly terminal: Terminal,
    /** How services are asked whether they make progress. */
    private readonly watch: Pick<LiveWatchOptions, 'everyMs' | 'misses'> = {},
  ) {}

  get stopping(): boolean {
    return this.#stopping !== undefined;
  }

  /** Registers what ends something: call it on the line after the start. */
  onStop(cleanup: () => Promise<unknown> | unknown): void {
    this.#cleanups.push(cleanup);
  }

  /** Ends everything started so far, newest first; the same promise however often it is called. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stopAll();
    return this.#stopping;
  }

  async #stopAll(): Promise<void> {
    for (let cleanup = this.#cleanups.pop(); cleanup; cleanup = this.#cleanups.pop()) await cleanup();
  }

  /** Starts a server for data. */
  async startData(server: DataServer): Promise<void> {
    const supervised = this.#supervise(server, server);
    this.onStop(() => supervised.stop());
    await supervised.start();
  }

  /** Starts services all at once. They stop kind by kind, the last kind first. */
  async startServices(services: readonly ServiceProcess[]): Promise<void> {
    const kinds = new Map<string, Supervised[]>();
    for (const service of services) {
      const supervised = this.#supervise(service, {
        start: async (started) => {
          const child = await startService(service, started);
          this.#watch(service, child);
          return child;
        },
        stop: (child) => child.stop(SERVICE_STOP_WITHIN_MS),
      });
      kinds.set(service.entry, [...(kinds.get(service.entry) ?? []), supervised]);
    }
    for (const kind of kinds.values()) this.onStop(() => Promise.all(kind.map((one) => one.stop())));
    await Promise.all([...kinds.values()].flat().map((one) => one.start()));
  }

  /** Ends a service that runs without progress; it is then started again as after a crash. */
  #watch(service: ServiceProcess, child: OwnedProcess): void {
    const stopWatching = watchLiveness({
      ...this.watch,
      ask: () => askLive(service.port, hostOf(service)),
      onStuck: (why) => {
        this.terminal.notice(`${service.name} makes no progress (${why}); ending it`);
        void child.stop(STUCK_STOP_WITHIN_MS);
      },
    });
    void child.exited.then(stopWatching);
  }

  #supervise(
    { name, port, log }: { name: string; port: number; log: string },
    run: Pick<SuperviseOptions, 'start' | 'stop'>,
  ): Supervised {
    return makeSupervised({
      start: run.start,
      stop: run.stop,
      onStarted: ({ pid }) => this.runFile.set({ name, pid, port, log }),
      onCrash: (exit, delayMs) => {
        this.runFile.delete(name);
        this.terminal.notice(`${name} ${describeExit(exit)}; starting it again in ${delayMs} ms (${log})`);
      },
      onRecovered: () => this.terminal.notice(`${name} is back`),
      onFailed: (error, delayMs) => {
        this.runFile.delete(name);
        const { what, why } = explain(error);
        this.terminal.notice(`${what}: ${why}; trying again in ${delayMs} ms`);
      },
    });
  }
}
