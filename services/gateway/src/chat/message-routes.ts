import type { IncomingMessage, ServerResponse } from 'node:http';
import { feedbackBody, maxChatBytes, ProblemError, parseOrProblem } from '@sidestage/contracts';
import { isUuid, type Redis } from '@sidestage/runtime';
import type { TurnReadRepository, TurnRow } from '@sidestage/store';
import {
  type Canceller,
  keys,
  type LiveTurns,
  recoveredSeqBase,
  storedOutcome,
  type WaitingLine,
} from '@sidestage/turns';
import type { Principal } from '../auth/principal.js';
import { sendJson, sendNothing } from './answers.js';
import { openEventStream } from './chat-route.js';
import type { LimitsLeft } from './limits-left.js';
import { readJson } from './read-json.js';
import type { Relay } from './relay.js';
import type { SseStreams } from './sse-stream.js';
import { type Turn, turnOf, viewOf } from './turn.js';

export interface MessageRouteOptions {
  turns: TurnReadRepository;
  liveTurns: Pick<LiveTurns, 'find'>;
  waitingLine: WaitingLine;
  limitsLeft: LimitsLeft;
  redis: Redis;
  relay: Relay;
  streams: SseStreams;
  canceller: Canceller;
}

/** The turn when this principal may see it. Throws `not_found`, for another's as for none. */
export async function findOwnTurn(turns: TurnReadRepository, principal: Principal, id: string): Promise<TurnRow> {
  const row = isUuid(id) ? await turns.find(principal.tenantId, id) : null;
  if (row?.principal !== principal.id) throw new ProblemError('not_found', { detail: 'There is no such message.' });
  return row;
}

/** The turn when its reply is being told and this principal may see it; null: Postgres has to say. */
export async function findOwnLiveTurn(
  liveTurns: Pick<LiveTurns, 'find'>,
  principal: Principal,
  id: string,
): Promise<Turn | null> {
  const live = isUuid(id) ? await liveTurns.find(principal.tenantId, id) : null;
  if (live?.principal !== principal.id) return null;
  return {
    id: live.turn_id,
    generationId: live.generation_id,
    tenantId: live.tenant_id,
    conversationId: live.conversation_id,
    creatorId: live.creator_id,
    principal: live.principal,
    tier: live.tier,
    acceptedAt: live.accepted_at,
  };
}

/** The last seq the client has, from `Last-Event-ID` or `?last_event_id=`; 0 without. Throws `validation_failed`. */
function readLastSeq(request: IncomingMessage): number {
  const query = new URLSearchParams(request.url?.split('?')[1] ?? '').get('last_event_id');
  const value = request.headers['last-event-id'] ?? query ?? '';
  if (value === '') return 0;
  if (typeof value === 'string' && /^\d{1,15}$/.test(value)) return Number(value);
  throw new ProblemError('validation_failed', {
    detail: 'Last-Event-ID: must be the id of an event of this message.',
    errors: [{ path: 'Last-Event-ID', message: 'must be a whole number from 0' }],
  });
}

/** `/api/v1/messages/{id}` and below. */
export function makeMessageRoutes(options: MessageRouteOptions) {
  const { turns, redis, relay, streams, limitsLeft } = options;

  /** Whether the client has everything there will ever be. */
  async function isFinal(row: TurnRow, lastSeq: number): Promise<boolean> {
    if (row.state !== 'done' || lastSeq === 0) return false;
    // Told from Postgres: reset, the content, the end.
    if (lastSeq > recoveredSeqBase) return lastSeq === recoveredSeqBase + storedOutcome(row).content.length + 2;
    try {
      const [seq, ended] = await redis.hmget(keys.replyState(row.generation_id), 'seq', 'ended');
      return ended !== null && Number(seq) === lastSeq;
    } catch {
      return false;
    }
  }

  async function view(principal: Principal, row: TurnRow) {
    const waits = row.state === 'waiting' || row.state === 'offered';
    const [place, headers] = await Promise.all([
      waits ? options.waitingLine.place(row.id) : null,
      limitsLeft(principal),
    ]);
    return { body: viewOf(row, place), headers };
  }

  return {
    async get(_request: IncomingMessage, response: ServerResponse, principal: Principal, id: string): Promise<void> {
      const { body, headers } = await view(principal, await findOwnTurn(turns, principal, id));
      sendJson(response, 200, body, headers);
    },

    async events(request: IncomingMessage, response: ServerResponse, principal: Principal, id: string): Promise<void> {
      const lastSeq = readLastSeq(request);
      const live = await findOwnLiveTurn(options.liveTurns, principal, id);
      const row = live ? null : await findOwnTurn(turns, principal, id);
      const headers = await limitsLeft(principal);
      if (row && (await isFinal(row, lastSeq))) return sendNothing(response, headers);
      const turn = live ?? (row && turnOf(row));
      if (!turn) return;
      await openEventStream({ relay, streams }, response, turn, {
        afterSeq: lastSeq,
        measured: false,
        headers,
        begin: Promise.resolve(true),
      });
    },

    async cancel(_request: IncomingMessage, response: ServerResponse, principal: Principal, id: string): Promise<void> {
      const row = await options.canceller.cancel(await findOwnTurn(turns, principal, id));
      const { body, headers } = await view(principal, row);
      sendJson(response, 200, body, headers);
    },

    async feedback(
      request: IncomingMessage,
      response: ServerResponse,
      principal: Principal,
      id: string,
    ): Promise<void> {
      const body = parseOrProblem(feedbackBody, await readJson(request, maxChatBytes));
      const row = await findOwnTurn(turns, principal, id);
      const given = await turns.giveFeedback(principal.tenantId, row.id, {
        rating: body.rating,
        comment: body.comment ?? null,
      });
      if (!given) throw new ProblemError('conflict', { detail: 'Only a completed reply can be rated.' });
      sendNothing(response);
    },
  };
}
export type MessageRoutes = ReturnType<typeof makeMessageRoutes>;
