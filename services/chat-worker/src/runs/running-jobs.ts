import type { Logger, Metrics } from '@sidestage/runtime';
import type { ClaimedTurn, TurnRunRepository } from '@sidestage/store';

/**
 * Why a run must stop: `lost` the turn is another's or was cancelled; `lock_lost` Redis was silent for longer than the job's lock lives, so
 * another worker may have the job; `draining` this process ends; `deadline` the turn's time is up.
 */
export type AbortReason = 'lost' | 'lock_lost' | 'draining' | 'deadline';

export class RunAborted extends Error {
  constructor(readonly reason: AbortReason) {
    super(`the run was stopped: ${reason}`);
    this.name = 'RunAborted';
  }
}

/** A job this worker holds. */
export interface Run {
  readonly jobId: string;
  readonly signal: AbortSignal;
  abort(reason: AbortReason): void;
  /** Signs of life are given for this claim from now on; null ends them. */
  turn: ClaimedTurn | null;
  /** When the job's lock was last known to be renewed, ms (monotonic). */
  renewedAt: number;
}

export interface RunningJobsOptions {
  repository: Pick<TurnRunRepository, 'heartbeat'>;
  logger: Logger;
  metrics: Metrics;
  /** How long a job's lock lives without renewal. Milliseconds. */
  lockMs: number;
  heartbeatMs?: number;
}

/** A run stops this long before its lock can be another's. */
const lockMarginMs = 500;
const watchMs = 200;

/**
 * The jobs of this worker: gives their turns' signs of life (one UPDATE for all) and stops those it has lost. BullMQ tells of a lost lock only
 * once Redis is back, so a watchdog of our own counts the time since the last renewal.
 */
export function makeRunningJobs({ repository, logger, metrics, lockMs, heartbeatMs = 1_000 }: RunningJobsOptions) {
  const runs = new Map<string, Run>();
  let beating = false;

  async function heartbeat(): Promise<void> {
    const held = [...runs.values()].flatMap((run) => (run.turn ? [{ run, turn: run.turn }] : []));
    if (held.length === 0 || beating) return;
    beating = true;
    try {
      const ours = await repository.heartbeat(
        held.map(({ turn }) => ({ tenant_id: turn.tenant_id, turn_id: turn.id, epoch: turn.epoch })),
      );
      for (const { run, turn } of held) if (run.turn === turn && !ours.has(turn.id)) run.abort('lost');
    } catch (error) {
      logger.warn({ err: error }, 'no sign of life given');
    } finally {
      beating = false;
    }
  }

  function watch(): void {
    const limit = performance.now() - (lockMs - lockMarginMs);
    for (const run of runs.values()) if (run.renewedAt < limit) run.abort('lock_lost');
  }

  const timers = [setInterval(() => void heartbeat(), heartbeatMs), setInterval(watch, watchMs)];

  return {
    begin(jobId: string): Run {
      const controller = new AbortController();
      const run: Run = {
        jobId,
        signal: controller.signal,
        abort: (reason) => {
          if (!controller.signal.aborted) controller.abort(new RunAborted(reason));
        },
        turn: null,
        renewedAt: performance.now(),
      };
      runs.set(jobId, run);
      metrics.activeThreads.set(runs.size);
      return run;
    },
    end(run: Run): void {
      if (runs.get(run.jobId) === run) runs.delete(run.jobId);
      metrics.activeThreads.set(runs.size);
    },
    renewed(jobIds: readonly string[]): void {
      for (const jobId of jobIds) {
        const run = runs.get(jobId);
        if (run) run.renewedAt = performance.now();
      }
    },
    lost(jobIds: readonly string[]): void {
      for (const jobId of jobIds) runs.get(jobId)?.abort('lock_lost');
    },
    abortAll(reason: AbortReason): void {
      for (const run of runs.values()) run.abort(reason);
    },
    get size() {
      return runs.size;
    },
    close(): void {
      for (const timer of timers) clearInterval(timer);
    },
  };
}
export type RunningJobs = ReturnType<typeof makeRunningJobs>;
