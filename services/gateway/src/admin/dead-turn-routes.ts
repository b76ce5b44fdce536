import {
  type DeadTurnDetailView,
  type DeadTurnView,
  deadTurnQuery,
  ProblemError,
  parseOrProblem,
  type RetriedTurnView,
} from '@sidestage/contracts';
import { isUuid, type Logger, makeId, route } from '@sidestage/runtime';
import type { DeadTurnRepository, TurnRow } from '@sidestage/store';
import {
  type AdmissionLedger,
  type Dispatcher,
  type ReplyWriter,
  storedOutcome,
  type WaitingLine,
} from '@sidestage/turns';
import express, { type Request, type Router } from 'express';
import { principalWithRole } from '../http/identify.js';

export interface DeadTurnRouteOptions {
  deadTurns: DeadTurnRepository;
  replyWriter: ReplyWriter;
  waitingLine: WaitingLine;
  dispatcher: Pick<Dispatcher, 'offer'>;
  ledger: Pick<AdmissionLedger, 'rebuild'>;
  /** What a retried turn gets, from the retry on. */
  turnDeadlineMs: number;
  logger: Logger;
}

/** `/api/v1/admin/dead-turns`: turns that were set aside after the deaths of their workers, of every tenant, for operators. */
export function deadTurnRouter(options: DeadTurnRouteOptions): Router {
  const { deadTurns } = options;
  const router = express.Router();
  const operatorOf = (request: Request) => principalWithRole(request, ['operator']);
  const afterRetry = makeAfterRetry(options);

  route(router, '/api/v1/admin/dead-turns', {
    get: async (request, response) => {
      operatorOf(request);
      const { rows, next_cursor } = await deadTurns.list(parseOrProblem(deadTurnQuery, request.query));
      response.json({ items: rows.map(viewOf), next_cursor });
    },
  });

  route(router, '/api/v1/admin/dead-turns/:id', {
    get: async (request, response) => {
      const operator = operatorOf(request);
      const turn = await deadTurns.read(idOf(request), operator.id);
      if (!turn) throw notFound();
      const view: DeadTurnDetailView = { ...viewOf(turn), message: turn.message, video_url: turn.video_url };
      response.set('Cache-Control', 'no-store').json(view);
    },
    delete: async (request, response) => {
      const operator = operatorOf(request);
      const result = await deadTurns.drop(idOf(request), operator.id);
      if (result === 'not_found') throw notFound();
      if (result === 'not_dead') throw notDead();
      response.status(204).end();
    },
  });

  route(router, '/api/v1/admin/dead-turns/:id/retry', {
    post: async (request, response) => {
      const operator = operatorOf(request);
      const result = await deadTurns.retry({
        turn_id: idOf(request),
        generation_id: makeId(),
        deadline_ms: options.turnDeadlineMs,
        actor: operator.id,
      });
      if (result.kind === 'not_found') throw notFound();
      if (result.kind === 'not_dead') throw notDead();
      await afterRetry(result);
      const { id, conversation_id, deadline_at } = result.turn;
      const view: RetriedTurnView = { id, conversation_id, status: 'queued', deadline_at: deadline_at.toISOString() };
      response.status(202).json(view);
    },
  });
  return router;
}

/**
 * What follows a retry; Postgres has it already, so none of this can lose the turn. First the old stream: whoever still waits on it is told
 * the end it had. Then the new one begins, before the offer: a worker's first event would otherwise shut `queued` out.
 */
function makeAfterRetry(options: DeadTurnRouteOptions) {
  const { replyWriter, waitingLine, dispatcher, ledger, logger } = options;
  return async ({
    turn,
    before,
    released,
  }: Extract<Awaited<ReturnType<DeadTurnRepository['retry']>>, { kind: 'retried' }>) => {
    const { terminal } = storedOutcome(before);
    try {
      if (!before.announced && terminal) await replyWriter.append(before.generation_id, before.epoch, [terminal]);
      // It stands at the end of the line of today, and counts as in flight again.
      await ledger.rebuild([{ ...turn, accepted_at: new Date() }]);
      const place = await waitingLine.place(turn.id);
      await replyWriter.append(turn.generation_id, turn.epoch, [
        { type: 'queued', position: place?.position ?? null, eta_ms: place?.eta_ms ?? null },
      ]);
    } catch (error) {
      logger.debug({ err: error, turn_id: turn.id }, 'retried without a queued event');
    }
    if (released) await dispatcher.offer(released);
  };
}

/** Throws `not_found` for what is no id of ours. */
function idOf(request: Request): string {
  const id = String(request.params.id);
  if (!isUuid(id)) throw notFound();
  return id;
}

const notFound = () => new ProblemError('not_found', { detail: 'There is no such dead turn.' });
const notDead = () =>
  new ProblemError('conflict', {
    detail: 'This turn is not dead (any more): somebody else retried or dropped it, or it never was.',
  });

function viewOf(turn: TurnRow): DeadTurnView {
  return {
    id: turn.id,
    tenant_id: turn.tenant_id,
    creator_id: turn.creator_id,
    conversation_id: turn.conversation_id,
    principal: turn.principal,
    tier: turn.tier,
    crashes: turn.crashes,
    failures: turn.failures,
    accepted_at: turn.accepted_at.toISOString(),
    ended_at: (turn.ended_at ?? turn.accepted_at).toISOString(),
    request_id: turn.request_id,
    reason: turn.problem ?? new ProblemError('internal').toProblem(turn.request_id ?? undefined),
  };
}
