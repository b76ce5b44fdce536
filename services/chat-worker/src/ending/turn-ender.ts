import type { Problem, ReplyEventBody } from '@sidestage/contracts';
import { backoffMs, GroupCommit, isUnavailable, type Logger, type Metrics, sleep, traceIdOf } from '@sidestage/runtime';
import type { Settlement, SettleResult, TurnRef, TurnRow, TurnRunRepository, TurnSettler } from '@sidestage/store';
import { type AdmissionLedger, type Dispatcher, type ReplyWriter, refundOf, storedOutcome } from '@sidestage/turns';

/** While Postgres is away the reply exists only here: longest time it is kept and tried. */
const commitMs = 60_000;

export interface TurnEnderOptions {
  settler: TurnSettler;
  repository: Pick<TurnRunRepository, 'markAnnounced'>;
  writer: ReplyWriter;
  ledger: AdmissionLedger;
  dispatcher: Dispatcher;
  metrics: Metrics;
  logger: Logger;
}

/** Says a terminal event after what was streamed; true when the buffer has it. */
export type SayEnding = (terminal: ReplyEventBody) => Promise<boolean>;

/** A settlement that ends a turn without a reply. `epoch` null: whatever the epoch is. */
export function failedSettlement(
  turn: Pick<TurnRow, 'id' | 'tenant_id' | 'conversation_id'>,
  epoch: number | null,
  outcome: 'failed' | 'dead',
  problem: Problem,
): Settlement {
  return {
    tenant_id: turn.tenant_id,
    turn_id: turn.id,
    conversation_id: turn.conversation_id,
    epoch,
    outcome,
    reply_text: null,
    citations: null,
    grounded: null,
    finish_reason: null,
    model: null,
    input_tokens: null,
    output_tokens: null,
    first_text_ms: null,
    problem,
  };
}

/**
 * The one way a turn ends in a worker, in this order: Postgres first, so that nothing is announced that is not kept; then the last event; then
 * the lease, and the next turn of the conversation. Whoever dies in between leaves the rest to the sweeper.
 */
export function makeTurnEnder(options: TurnEnderOptions) {
  const { settler, repository, writer, ledger, dispatcher, metrics, logger } = options;
  const announced = new GroupCommit<TurnRef, true>({
    maxWaitMs: 20,
    maxItems: 200,
    concurrency: 1,
    commit: async (turns) => {
      await repository.markAnnounced(turns);
      return turns.map(() => true as const);
    },
  });

  async function commit(settlement: Settlement): Promise<SettleResult> {
    const giveUpAt = performance.now() + commitMs;
    for (let attempt = 1; ; attempt++) {
      try {
        return await settler.settle(settlement);
      } catch (error) {
        if (!isUnavailable(error) || performance.now() > giveUpAt) throw error;
        logger.warn({ err: error, turn_id: settlement.turn_id }, 'turn not settled yet, trying again');
        await sleep(backoffMs(attempt, 200, 2_000));
      }
    }
  }

  /** Tells of an ended turn what nobody has told: its content again, in case part of it was seen, and its end. */
  async function sayStored(turn: TurnRow): Promise<boolean> {
    const { content, terminal } = storedOutcome(turn);
    if (!terminal) return false;
    const events: ReplyEventBody[] =
      content.length === 0 ? [terminal] : [{ type: 'reset', attempt: turn.epoch }, ...content, terminal];
    // Refused means sealed: it was told.
    return writer.append(turn.generation_id, turn.epoch, events, { operation: `end-${turn.id}` }).then(
      () => true,
      () => false,
    );
  }

  async function announce(turn: TurnRow, say: SayEnding | null): Promise<void> {
    const { terminal } = storedOutcome(turn);
    if (!terminal) return;
    const told = say ? await say(terminal) : await sayStored(turn);
    if (!told) return;
    // Not awaited: a lost mark only makes the sweeper try a sealed buffer.
    announced.add({ tenant_id: turn.tenant_id, turn_id: turn.id }).catch((error: unknown) => {
      logger.debug({ err: error, turn_id: turn.id }, 'announcement not marked');
    });
  }

  async function close(turn: TurnRow): Promise<void> {
    await ledger.ended([
      { tenant_id: turn.tenant_id, turn_id: turn.id, principal: turn.principal, refund: refundOf(turn) },
    ]);
  }

  function count(turn: TurnRow): void {
    const status = turn.outcome === 'dead' ? 'failed' : (turn.outcome ?? 'failed');
    metrics.chatRequests.inc({ status, tier: turn.tier });
    if (turn.ended_at)
      metrics.chatDuration.observe({ tier: turn.tier }, (turn.ended_at.getTime() - turn.accepted_at.getTime()) / 1000);
  }

  return {
    /**
     * Ends a turn. Resolves with false when it is not this epoch's any more: nothing was written or said. Rejects when Postgres took it neither
     * at once nor within a minute.
     */
    async end(settlement: Settlement, say: SayEnding | null): Promise<boolean> {
      const { turn, released } = await commit(settlement);
      if (!turn) return false;
      count(turn);
      logger.info(
        {
          turn_id: turn.id,
          request_id: turn.request_id,
          trace_id: traceIdOf(turn.traceparent),
          outcome: turn.outcome,
          code: turn.problem?.code,
          model: turn.model,
          epoch: turn.epoch,
          total_ms: turn.ended_at && turn.ended_at.getTime() - turn.accepted_at.getTime(),
        },
        'turn ended',
      );
      await Promise.all([announce(turn, say), close(turn), released && dispatcher.offer(released)]);
      return true;
    },

    /** For the sweeper: an ended turn whose last event may never have been told. */
    async announceAgain(turn: TurnRow): Promise<void> {
      await Promise.all([announce(turn, null), close(turn)]);
    },

    async drain(): Promise<void> {
      await Promise.all([settler.drain(), announced.drain()]);
    },
  };
}
export type TurnEnder = ReturnType<typeof makeTurnEnder>;
