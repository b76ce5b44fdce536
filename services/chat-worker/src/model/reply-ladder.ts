import {
  type ChatModel,
  ModelError,
  type ModelFinishReason,
  type ModelPiece,
  type ModelProvider,
  type ModelRequest,
  type ModelUsage,
} from '@sidestage/models';
import { type Breaker, BreakerOpenError, backoffMs, type Logger, sleep } from '@sidestage/runtime';
import type { ProviderQuota } from './provider-quota.js';
import { RetryBudget } from './retry-budget.js';

/** Takes what a model says. `begin` comes before each try, voids what an earlier try said, and is awaited: it may stop the run. */
export interface ReplyListener {
  /** For the log. */
  readonly trace: { turn_id: string; request_id: string | null };
  begin(model: ChatModel): Promise<void>;
  piece(piece: Exclude<ModelPiece, { type: 'finish' }>): void;
}

export type LadderResult =
  | { kind: 'replied'; model: ChatModel; finish_reason: ModelFinishReason; usage: ModelUsage }
  /** No provider may be asked before `waitMs` have passed; none failed. */
  | { kind: 'wait'; waitMs: number }
  | { kind: 'failed'; error: unknown };

export interface ReplyLadderOptions {
  ladder: readonly ChatModel[];
  breakers: ReadonlyMap<ModelProvider, Breaker>;
  quota: ProviderQuota;
  logger: Logger;
}

/** For a 429 that does not say how long. */
const unknownWaitMs = 10_000;
const longestWaitMs = 5 * 60_000;
const triesInPlace = 2;

type TryResult =
  | { kind: 'replied'; finish_reason: ModelFinishReason; usage: ModelUsage }
  | { kind: 'wait'; waitMs: number }
  | { kind: 'failed'; error: unknown; again: boolean };

/** What says nothing about the provider's health. */
function isNeutral(error: unknown): boolean {
  return error instanceof ModelError && ['aborted', 'rate_limited', 'refused_request'].includes(error.kind);
}

/**
 * Goes down the ladder: a provider that fails is asked once more where the retry budget allows it, then the next one; a provider that asks for
 * patience is left alone by all workers until then. Rejects only with the reason of `signal`.
 */
export function makeReplyLadder({ ladder, breakers, quota, logger }: ReplyLadderOptions) {
  const budgets = new Map(ladder.map(({ provider }) => [provider, new RetryBudget()]));

  async function stream(model: ChatModel, request: ModelRequest, listener: ReplyListener, signal: AbortSignal) {
    await listener.begin(model);
    signal.throwIfAborted();
    budgets.get(model.provider)?.called();
    for await (const piece of model.stream(request, signal)) {
      signal.throwIfAborted();
      if (piece.type === 'finish') return piece;
      listener.piece(piece);
    }
    throw new ModelError('malformed', model.provider, 'the stream ended without an end');
  }

  async function tryOnce(
    model: ChatModel,
    request: ModelRequest,
    listener: ReplyListener,
    signal: AbortSignal,
  ): Promise<TryResult> {
    const { provider } = model;
    const waitMs = await quota.take(provider);
    signal.throwIfAborted();
    if (waitMs > 0) return { kind: 'wait', waitMs };
    const call = () => stream(model, request, listener, signal);
    const neutral = (error: unknown) => signal.aborted || isNeutral(error);
    try {
      const { finish_reason, usage } = await (breakers.get(provider)?.run(call, neutral) ?? call());
      return { kind: 'replied', finish_reason, usage };
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof BreakerOpenError) return { kind: 'failed', error, again: false };
      logger.warn({ err: error, provider, ...listener.trace }, 'model failed');
      if (error instanceof ModelError && error.kind === 'rate_limited') {
        const asked = Math.min(error.retryAfterMs ?? unknownWaitMs, longestWaitMs);
        await quota.park(provider, asked);
        return { kind: 'wait', waitMs: asked };
      }
      return { kind: 'failed', error, again: error instanceof ModelError && error.retryable };
    }
  }

  async function tryInPlace(
    model: ChatModel,
    request: ModelRequest,
    listener: ReplyListener,
    signal: AbortSignal,
  ): Promise<TryResult> {
    for (let tries = 1; ; tries++) {
      const result = await tryOnce(model, request, listener, signal);
      if (result.kind !== 'failed' || !result.again || tries === triesInPlace) return result;
      if (!budgets.get(model.provider)?.spend()) return result;
      await sleep(backoffMs(tries, 200, 1_000), signal);
    }
  }

  return {
    async reply(request: ModelRequest, listener: ReplyListener, signal: AbortSignal): Promise<LadderResult> {
      let waitMs = Number.POSITIVE_INFINITY;
      let failure: { error: unknown } | null = null;
      for (const model of ladder) {
        const result = await tryInPlace(model, request, listener, signal);
        if (result.kind === 'replied') return { ...result, model };
        if (result.kind === 'wait') waitMs = Math.min(waitMs, result.waitMs);
        else failure = { error: result.error };
      }
      return failure ? { kind: 'failed', error: failure.error } : { kind: 'wait', waitMs };
    },
  };
}
export type ReplyLadder = ReturnType<typeof makeReplyLadder>;
