import { createHash } from 'node:crypto';
import { type LimitState, ProblemError, type TierPolicy } from '@sidestage/contracts';
import { isRetryable, isUuid, makeId } from '@sidestage/runtime';
import type { AcceptResult, NewTurn, TurnReadRepository, TurnRow } from '@sidestage/store';
import type { AdmissionRequest, AdmissionResult } from '@sidestage/turns';
import type { Principal } from '../auth/principal.js';
import { canSee } from '../creators/access.js';
import type { Announcer } from './announce.js';
import type { ChatCreator, ChatDependencies } from './chat-dependencies.js';
import { findRepeated, stillRunning } from './idempotency.js';
import { quotaExceeded } from './rate-limit.js';
import { type Turn, turnOf } from './turn.js';

/** A message as any of the doors hands it over, validated. */
export interface Message {
  message: string;
  /** Id or slug. */
  creatorId: string;
  /** An id, `latest`, or null for a new conversation. */
  conversationId: string | null;
  /** An integrator's own end user, null without. */
  userId: string | null;
  videoUrl: string | null;
  idempotencyKey: string | null;
  requestId: string;
  traceparent: string | null;
  /** The socket it came through; null over HTTP. */
  socketId: string | null;
}

export interface Submission {
  turn: Turn;
  limits: LimitState[];
  position: number | null;
  eta_ms: number | null;
  /** The turn that an idempotency key named; null for a turn made now. */
  repeated: TurnRow | null;
  /** Whether the buffer has begun with `queued`. False while Redis is away. */
  announced: Promise<boolean>;
}

/** Past a turn's deadline a sweep ends it: a lease outlives it by this. Milliseconds. */
const leaseSlackMs = 10_000;
const maxTitle = 80;
const creatorNotFound = () =>
  new ProblemError('not_found', {
    detail: 'There is no such creator.',
    errors: [{ path: 'creator_id', message: 'names no creator' }],
  });
const conversationNotFound = () =>
  new ProblemError('not_found', {
    detail: 'There is no such conversation.',
    errors: [{ path: 'conversation_id', message: 'names no conversation of yours' }],
  });

function titleOf(message: string): string {
  const line = message.trim().replace(/\s+/g, ' ');
  return line.length <= maxTitle ? line : `${line.slice(0, maxTitle - 1).toWellFormed()}…`;
}

/** Finds a creator that this principal may talk to. Throws `not_found`. */
export async function findCreator(
  creators: ChatDependencies['creators'],
  principal: Principal,
  idOrSlug: string | null,
): Promise<ChatCreator> {
  const creator = await (idOrSlug === null
    ? creators.first(principal.tenantId)
    : creators.find(principal.tenantId, idOrSlug));
  if (!creator || !canSee(principal, creator)) throw creatorNotFound();
  return creator;
}

function hasState(error: unknown, state: string): boolean {
  return error instanceof Error && 'code' in error && error.code === state;
}

type SubmitDependencies = Pick<ChatDependencies, 'admission' | 'acceptor' | 'policies' | 'creators' | 'logger'> & {
  turnDeadlineMs: number;
  turns: TurnReadRepository;
  announcer: Announcer;
  onRefused(principal: Principal, policy: string): void;
};

/**
 * The one way a message becomes a turn, whatever door it came through: creator and conversation, admission, acceptance in Postgres, then the
 * queue. Resolves when nothing can lose the turn any more. Throws ProblemError: nothing was kept then.
 */
export function makeSubmitter(dependencies: SubmitDependencies) {
  const { admission, acceptor, policies, creators, turns, announcer } = dependencies;

  /** The conversation the message names, or null for a new one. */
  async function conversationFor(principal: Principal, message: Message, creatorId: string): Promise<string | null> {
    const { conversationId } = message;
    if (conversationId === null) return null;
    const endUserId = endUser(principal, message);
    const scope = { tenant_id: principal.tenantId, principal: principal.id, end_user_id: endUserId };
    if (conversationId === 'latest') return turns.latestConversation({ ...scope, creator_id: creatorId });
    if (!isUuid(conversationId)) throw conversationNotFound();
    if (endUserId !== '') {
      // Acceptance checks the principal; which of an integrator's end users it is only matters here.
      const head = await turns.conversation(principal.tenantId, conversationId);
      if (!head || head.principal !== principal.id || (head.end_user_id ?? '') !== endUserId)
        throw conversationNotFound();
    }
    return conversationId;
  }

  async function whyNoConversation(principal: Principal, turn: NewTurn): Promise<ProblemError> {
    const head = turn.new_conversation ? null : await turns.conversation(principal.tenantId, turn.conversation_id);
    if (head?.principal !== principal.id) return conversationNotFound();
    return new ProblemError('validation_failed', {
      detail: 'This conversation is with another creator.',
      errors: [{ path: 'creator_id', message: 'is not the creator of this conversation' }],
    });
  }

  /** Accepts in Postgres; whatever stands in the way gives back what admission took. */
  async function accept(principal: Principal, turn: NewTurn, request: AdmissionRequest): Promise<AcceptResult> {
    let result: AcceptResult;
    try {
      result = await acceptor.accept(turn);
    } catch (error) {
      await admission.withdraw(request);
      if (hasState(error, '23503')) throw creatorNotFound();
      throw new ProblemError('unavailable', {
        // The connection may have been lost after the commit: then only the key tells that it is the same message.
        detail: isRetryable(error)
          ? 'Your message may not have been stored. Please send it again, with the same idempotency key if it had one.'
          : 'Your message could not be stored. Nothing was kept; please send it again.',
        retryAfterSeconds: 2,
        cause: error,
      });
    }
    if (result.kind !== 'accepted') await admission.withdraw(request);
    if (result.kind === 'no_conversation') throw await whyNoConversation(principal, turn);
    return result;
  }

  async function repeatedSubmission(principal: Principal, row: TurnRow, limits: TierPolicy): Promise<Submission> {
    const left = await admission.peek({ tenant_id: principal.tenantId, principal: principal.id, limits });
    return {
      turn: turnOf(row),
      limits: left,
      position: null,
      eta_ms: null,
      repeated: row,
      announced: Promise.resolve(true),
    };
  }

  function refuse(
    principal: Principal,
    refused: Extract<AdmissionResult, { kind: 'refused' }>,
    limits: TierPolicy,
  ): never {
    dependencies.onRefused(principal, refused.policy);
    throw quotaExceeded(refused, limits);
  }

  return {
    async submit(principal: Principal, message: Message): Promise<Submission> {
      const [policy, creator] = await Promise.all([
        policies.of(principal.tenantId),
        findCreator(creators, principal, message.creatorId),
      ]);
      const limits = policy.tiers[principal.tier];
      const conversationId = await conversationFor(principal, message, creator.id);
      const turn = newTurn(principal, message, creator.id, conversationId, dependencies.turnDeadlineMs);
      const request: AdmissionRequest = {
        turn_id: turn.turn_id,
        tenant_id: turn.tenant_id,
        principal: turn.principal,
        tier: turn.tier,
        idempotency_scope:
          turn.idempotency_key && JSON.stringify([turn.principal, turn.end_user_id, turn.idempotency_key]),
        limits,
        tenant_limit: policy.tenant,
        lease_until: Date.now() + dependencies.turnDeadlineMs + leaseSlackMs,
      };

      const named = message.conversationId === 'latest' ? null : message.conversationId;
      let admitted = await admission.admit(request);
      if (admitted.kind === 'repeated') {
        const row = await findRepeated({ turns, admission }, { turn, request, named, turnId: admitted.turn_id });
        if (row) return repeatedSubmission(principal, row, limits);
        admitted = await admission.admit(request);
      }
      if (admitted.kind === 'refused') refuse(principal, admitted, limits);
      if (admitted.kind === 'repeated') throw stillRunning(admitted.turn_id);

      const accepted = await accept(principal, turn, request);
      if (accepted.kind !== 'accepted') {
        const row = await findRepeated({ turns, admission }, { turn, request, named, turnId: null });
        if (!row) throw stillRunning(turn.turn_id);
        return repeatedSubmission(principal, row, limits);
      }
      return {
        turn: {
          id: turn.turn_id,
          generationId: turn.generation_id,
          tenantId: turn.tenant_id,
          conversationId: turn.conversation_id,
          creatorId: creator.id,
          principal: principal.id,
          tier: principal.tier,
          acceptedAt: accepted.accepted_at.getTime(),
        },
        limits: admitted.limits,
        position: admitted.position,
        eta_ms: admitted.eta_ms,
        repeated: null,
        announced: announcer.announce(turn, {
          offered: accepted.state === 'offered',
          position: admitted.position,
          eta_ms: admitted.eta_ms,
          socketId: message.socketId,
        }),
      };
    },
  };
}
export type Submitter = ReturnType<typeof makeSubmitter>;

/** Only an integrator speaks for end users of its own. */
function endUser(principal: Principal, message: Message): string {
  return principal.role === 'integrator' ? (message.userId ?? '') : '';
}

function newTurn(
  principal: Principal,
  message: Message,
  creatorId: string,
  conversationId: string | null,
  deadlineMs: number,
): NewTurn {
  const endUserId = endUser(principal, message);
  const sameAs = [message.message, creatorId, endUserId, message.videoUrl];
  return {
    turn_id: makeId(),
    generation_id: makeId(),
    tenant_id: principal.tenantId,
    conversation_id: conversationId ?? makeId(),
    new_conversation: conversationId === null,
    title: titleOf(message.message),
    creator_id: creatorId,
    principal: principal.id,
    end_user_id: endUserId,
    tier: principal.tier,
    message: message.message,
    video_url: message.videoUrl,
    idempotency_key: message.idempotencyKey,
    request_hash: message.idempotencyKey && createHash('sha256').update(JSON.stringify(sameAs)).digest('hex'),
    request_id: message.requestId,
    traceparent: message.traceparent,
    deadline_ms: deadlineMs,
  };
}
