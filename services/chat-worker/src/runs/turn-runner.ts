import { type Problem, ProblemError } from '@sidestage/contracts';
import { backoffMs, isUnavailable, type Logger, type Metrics, sleep, traceIdOf, withRetry } from '@sidestage/runtime';
import type { ClaimedTurn, TurnRef, TurnRunRepository, WorkerDeathRepository } from '@sidestage/store';
import type { WaitingLine } from '@sidestage/turns';
import type { Answer, Answerer } from '../answer/answerer.js';
import type { ReplyStream, ReplyStreams } from '../answer/reply-stream.js';
import { failedSettlement, type TurnEnder } from '../ending/turn-ender.js';
import type { RunGate } from './run-gate.js';
import { type Run, RunAborted } from './running-jobs.js';
import type { Beginning, SlowStart } from './slow-start.js';
import { isSuspect, judge, type Verdict } from './suspicion.js';

/** What becomes of the job. */
export type RunOutcome =
  | { kind: 'finished' }
  /** Not before `delayMs`. */
  | { kind: 'delayed'; delayMs: number }
  /** Given back at once, for another worker. */
  | { kind: 'returned' };

/** Model errors a turn may have. */
const mostFailures = 3;
/** A turn whose Postgres was away in the middle of it is tried again after this. Milliseconds. */
const unavailableMs = 1_000;
/** Longest time a turn is tried to be given back. Milliseconds. */
const parkMs = 60_000;
const failureBackoffMs = { first: 500, max: 10_000 };

interface Claim {
  turn: ClaimedTurn;
  /** Before Postgres was asked, ms (monotonic): a deadline counted from here is never later than Postgres's own. */
  claimedAt: number;
}

export interface TurnRunnerOptions {
  repository: TurnRunRepository;
  deaths: Pick<WorkerDeathRepository, 'beside'>;
  answer: Answerer;
  streams: ReplyStreams;
  ender: TurnEnder;
  waitingLine: WaitingLine;
  gate: RunGate;
  slowStart: SlowStart;
  metrics: Metrics;
  logger: Logger;
}

/**
 * Runs one turn from claim to end. Whatever happens, the turn is ended, parked for a later try, or another's when this resolves; it rejects
 * only while Postgres cannot be reached.
 */
export function makeTurnRunner(options: TurnRunnerOptions) {
  const { repository, deaths, answer, streams, ender, waitingLine, gate, slowStart, metrics, logger } = options;

  async function run(ref: TurnRef, job: Run): Promise<RunOutcome> {
    const beginning = await slowStart.begin();
    try {
      return await runBegun(ref, job, beginning);
    } finally {
      beginning.ended();
    }
  }

  async function runBegun(ref: TurnRef, job: Run, beginning: Beginning): Promise<RunOutcome> {
    const together = await gate.enter(false);
    try {
      if (job.signal.aborted) return { kind: 'returned' };
      const claimed = await claim(ref, false);
      if (!claimed) return { kind: 'finished' };
      const { turn } = claimed;
      if (turn.wait_ms > 0) return { kind: 'delayed', delayMs: turn.wait_ms };
      const verdict = await verdictOn(turn);
      if (verdict === null) return await later(turn, { failed: false, delayMs: unavailableMs });
      if (verdict === 'dead' && !turn.expired) return await fail(turn, null, 'dead', deadProblem(turn));
      if (verdict === 'together' || turn.expired) return await runClaimed(claimed, job, beginning);
      // It waits unclaimed for its turn alone: a neighbour's death meanwhile is not counted against it.
      await park(turn, { failed: false, delayMs: 0 });
    } finally {
      together();
    }
    const alone = await gate.enter(true);
    try {
      if (job.signal.aborted) return { kind: 'returned' };
      const claimed = await claim(ref, true);
      if (!claimed) return { kind: 'finished' };
      const { turn } = claimed;
      if (turn.wait_ms > 0) return { kind: 'delayed', delayMs: turn.wait_ms };
      logger.warn({ turn_id: turn.id, crashes: turn.crashes }, 'runs alone');
      return await runClaimed(claimed, job, beginning);
    } finally {
      alone();
    }
  }

  function claim(ref: TurnRef, alone: boolean): Promise<Claim | null> {
    return withRetry(async () => {
      const claimedAt = performance.now();
      const turn = await repository.claim(ref, alone);
      return turn && { turn, claimedAt };
    });
  }

  /** Null while Postgres cannot say what else has died. */
  async function verdictOn(turn: ClaimedTurn): Promise<Verdict | null> {
    if (!isSuspect(turn.crashes)) return 'together';
    try {
      const beside = await withRetry(() => deaths.beside(turn));
      const verdict = judge({ crashes: turn.crashes, beside });
      logger.info({ turn_id: turn.id, crashes: turn.crashes, beside, verdict }, 'workers died while it ran');
      return verdict;
    } catch (error) {
      if (isUnavailable(error)) return null;
      throw error;
    }
  }

  async function runClaimed({ turn, claimedAt }: Claim, job: Run, { spoke }: Beginning): Promise<RunOutcome> {
    const waitedMs = (turn.heartbeat_at ?? turn.accepted_at).getTime() - turn.accepted_at.getTime();
    const sinceAccepted = () => Math.round(waitedMs + performance.now() - claimedAt);
    void waitingLine.leave([turn.id]);
    if (turn.epoch === 1) metrics.queueWait.observe({ tier: turn.tier }, waitedMs / 1000);
    logger.info(
      {
        turn_id: turn.id,
        request_id: turn.request_id,
        trace_id: traceIdOf(turn.traceparent),
        epoch: turn.epoch,
        waited_ms: waitedMs,
      },
      'turn claimed',
    );
    if (turn.expired) return fail(turn, null, 'failed', deadlineProblem(turn));

    const stream = streams.make({
      generationId: turn.generation_id,
      epoch: turn.epoch,
      onText: spoke,
      onRefused: () => job.abort('lost'),
      stillOurs: async () =>
        (await repository.heartbeat([{ tenant_id: turn.tenant_id, turn_id: turn.id, epoch: turn.epoch }])).has(turn.id),
    });
    const leftMs = turn.deadline_at.getTime() - turn.accepted_at.getTime() - waitedMs;
    const deadline = setTimeout(() => job.abort('deadline'), leftMs - (performance.now() - claimedAt));
    job.turn = turn;
    try {
      if (turn.epoch > 1) stream.say({ type: 'reset', attempt: turn.epoch });
      const given = await answer(turn, stream, sinceAccepted, job.signal);
      job.turn = null;
      clearTimeout(deadline);
      return await afterAnswer(turn, stream, given, leftMs - (performance.now() - claimedAt));
    } catch (error) {
      job.turn = null;
      return await afterError(turn, stream, error);
    } finally {
      clearTimeout(deadline);
      stream.close();
    }
  }

  async function afterAnswer(
    turn: ClaimedTurn,
    stream: ReplyStream,
    given: Answer,
    leftMs: number,
  ): Promise<RunOutcome> {
    if (given.kind === 'replied') return complete(turn, stream, given);
    if (given.kind === 'failed') return afterFailure(turn, stream, given.error, 'model_failed', leftMs);
    const delayMs = Math.ceil(given.waitMs + 1_000 * Math.random());
    if (delayMs >= leftMs) {
      const detail = 'The model provider asks to wait longer than this turn may take. Please try again later.';
      const problem = new ProblemError('overloaded', { detail, retryAfterSeconds: Math.ceil(delayMs / 1000) });
      return fail(turn, stream, 'failed', problem.toProblem(turn.request_id ?? undefined));
    }
    return later(turn, { failed: false, delayMs });
  }

  async function complete(
    turn: ClaimedTurn,
    stream: ReplyStream,
    given: Extract<Answer, { kind: 'replied' }>,
  ): Promise<RunOutcome> {
    if (given.firstTextMs !== null) metrics.timeToFirstToken.observe({ tier: turn.tier }, given.firstTextMs / 1000);
    await ender.end(
      {
        tenant_id: turn.tenant_id,
        turn_id: turn.id,
        conversation_id: turn.conversation_id,
        epoch: turn.epoch,
        outcome: 'completed',
        reply_text: given.reply.text,
        citations: given.reply.citations,
        grounded: given.reply.grounded,
        finish_reason: given.finish_reason,
        model: given.model,
        input_tokens: given.usage.input_tokens,
        output_tokens: given.usage.output_tokens,
        first_text_ms: given.firstTextMs,
        problem: null,
      },
      stream.end,
    );
    return { kind: 'finished' };
  }

  async function fail(
    turn: ClaimedTurn,
    stream: ReplyStream | null,
    outcome: 'failed' | 'dead',
    problem: Problem,
  ): Promise<RunOutcome> {
    await ender.end(failedSettlement(turn, turn.epoch, outcome, problem), stream ? stream.end : null);
    return { kind: 'finished' };
  }

  async function afterFailure(
    turn: ClaimedTurn,
    stream: ReplyStream,
    error: unknown,
    code: 'model_failed' | 'internal',
    leftMs: number,
  ): Promise<RunOutcome> {
    const failures = turn.failures + 1;
    logger.warn({ err: error, turn_id: turn.id, request_id: turn.request_id, failures }, 'turn could not be answered');
    const delayMs = backoffMs(failures, failureBackoffMs.first, failureBackoffMs.max);
    if (failures < mostFailures && delayMs < leftMs) return later(turn, { failed: true, delayMs });
    const detail =
      code === 'model_failed' ? 'No model could answer. Please try again in a moment.' : 'The reply could not be made.';
    return fail(turn, stream, 'failed', new ProblemError(code, { detail }).toProblem(turn.request_id ?? undefined));
  }

  async function afterError(turn: ClaimedTurn, stream: ReplyStream, error: unknown): Promise<RunOutcome> {
    if (!(error instanceof RunAborted)) {
      // Postgres away is no fault of this turn: it waits. Whatever else it is, is counted, so that it cannot go on for ever.
      if (isUnavailable(error)) return later(turn, { failed: false, delayMs: unavailableMs });
      return afterFailure(turn, stream, error, 'internal', Number.POSITIVE_INFINITY);
    }
    logger.info({ turn_id: turn.id, request_id: turn.request_id, reason: error.reason }, 'run stopped');
    if (error.reason === 'lost') return { kind: 'finished' };
    if (error.reason === 'deadline') return fail(turn, stream, 'failed', deadlineProblem(turn));
    await park(turn, { failed: false, delayMs: 0 });
    return { kind: 'returned' };
  }

  async function later(turn: ClaimedTurn, how: { failed: boolean; delayMs: number }): Promise<RunOutcome> {
    return (await park(turn, how)) ? { kind: 'delayed', delayMs: how.delayMs } : { kind: 'finished' };
  }

  /** Tried for a minute: a turn that is left running looks as if its worker had died, and that is counted against it. */
  async function park(turn: ClaimedTurn, how: { failed: boolean; delayMs: number }): Promise<boolean> {
    const giveUpAt = performance.now() + parkMs;
    for (let attempt = 1; ; attempt++) {
      try {
        return await repository.park({ tenant_id: turn.tenant_id, turn_id: turn.id, epoch: turn.epoch, ...how });
      } catch (error) {
        if (!isUnavailable(error) || performance.now() > giveUpAt) throw error;
        await sleep(backoffMs(attempt, 100, 1_000));
      }
    }
  }

  return run;
}
export type TurnRunner = ReturnType<typeof makeTurnRunner>;

/** The end of a turn whose time is up. */
export function deadlineProblem(turn: { request_id: string | null }): Problem {
  const detail = 'The turn was not answered within its time. It was not counted; please ask again.';
  return new ProblemError('deadline_exceeded', { detail }).toProblem(turn.request_id ?? undefined);
}

function deadProblem(turn: ClaimedTurn): Problem {
  const detail = `The turn was set aside: ${turn.crashes} workers stopped while they answered it.`;
  return new ProblemError('internal', { detail }).toProblem(turn.request_id ?? undefined);
}
