import { ProblemError } from '@sidestage/contracts';
import type { Logger } from '@sidestage/runtime';
import type { Settlement, TurnReadRepository, TurnRow, TurnRunRepository, TurnSettler } from '@sidestage/store';
import type { AdmissionLedger, Dispatcher, ReplyWriter } from './ports.js';
import { refundOf } from './refund.js';

/**
 * Ends turns on their fan's word. Once `cancel` has resolved no model is asked for the turn any more: Postgres refuses its worker's writes, and
 * the sealed buffer what the worker says before it asks. A call under way is given up within a second.
 */
export interface Canceller {
  /** The cancelled turn; cancelling again is no error. Throws `conflict` for a turn that ended otherwise. */
  cancel(row: TurnRow): Promise<TurnRow>;
}

export function makeCanceller(options: {
  turns: TurnReadRepository;
  settler: Pick<TurnSettler, 'settle'>;
  runs: Pick<TurnRunRepository, 'markAnnounced'>;
  replyWriter: ReplyWriter;
  dispatcher: Pick<Dispatcher, 'offer'>;
  ledger: AdmissionLedger;
  logger: Logger;
}): Canceller {
  const { turns, settler, runs, replyWriter, dispatcher, ledger, logger } = options;

  /** The last event and the lease. What fails here the sweeper and the lease's end make good. */
  async function announceEnd(row: TurnRow): Promise<void> {
    const ref = { tenant_id: row.tenant_id, turn_id: row.id };
    await ledger.ended([{ ...ref, principal: row.principal, refund: refundOf(row) }]);
    try {
      await replyWriter.append(row.generation_id, row.epoch, [{ type: 'cancelled' }]);
      await runs.markAnnounced([ref]);
    } catch (error) {
      logger.debug({ err: error, turn_id: row.id }, 'cancelled without its event, the sweeper tells it');
    }
  }

  return {
    async cancel(row) {
      if (row.state !== 'done') {
        const { turn, released } = await settler.settle(cancelled(row));
        if (turn) {
          await announceEnd(turn);
          if (released) await dispatcher.offer(released);
          return turn;
        }
      }
      const now = await turns.find(row.tenant_id, row.id);
      if (!now) throw new ProblemError('not_found', { detail: 'There is no such message.' });
      if (now.outcome !== 'cancelled')
        throw new ProblemError('conflict', { detail: 'This message has been answered already.' });
      return now;
    },
  };
}

function cancelled(row: TurnRow): Settlement {
  return {
    tenant_id: row.tenant_id,
    turn_id: row.id,
    conversation_id: row.conversation_id,
    // Whatever its epoch: the worker that runs it is fenced off.
    epoch: null,
    outcome: 'cancelled',
    reply_text: null,
    citations: null,
    grounded: null,
    finish_reason: null,
    model: null,
    input_tokens: null,
    output_tokens: null,
    first_text_ms: null,
    problem: null,
  };
}
