import type { TurnRow } from '@sidestage/store';
import type { Refund } from './ports.js';

/**
 * What of its quota an ended turn gives back. Expired: all. Cancelled before a worker began it: all. Cancelled later, when a model may have been
 * asked: bounded, or whoever reads nearly all of a reply and cancels would chat without limit.
 */
export function refundOf(turn: Pick<TurnRow, 'outcome' | 'problem' | 'started_at'>): Refund {
  if (turn.problem?.code === 'deadline_exceeded') return 'all';
  if (turn.outcome !== 'cancelled') return 'none';
  return turn.started_at === null ? 'all' : 'bounded';
}
