import type { Citation, Completed, ReplyEventBody } from '@sidestage/contracts';
import { ProblemError } from '@sidestage/contracts';
import type { TurnRow } from '@sidestage/store';
import type { StoredOutcome } from './ports.js';

const sinceAccepted = (turn: TurnRow, moment: Date | null) =>
  moment === null ? null : Math.max(0, moment.getTime() - turn.accepted_at.getTime());

/** Postgres's jsonb forgets the order of keys; a stored answer is repeated byte for byte. */
function inOrder(citation: Citation): Citation {
  const { source_id, title, url, start_seconds, end_seconds, quote, index, offset } = citation;
  return { source_id, title, url, start_seconds, end_seconds, quote, index, offset };
}

/** The 200 of a completed turn, as Postgres tells it. */
export function completedOf(turn: TurnRow): Completed {
  const totalMs = sinceAccepted(turn, turn.ended_at) ?? 0;
  return {
    message_id: turn.id,
    conversation_id: turn.conversation_id,
    creator_id: turn.creator_id,
    status: 'completed',
    reply: {
      text: turn.reply_text ?? '',
      citations: (turn.citations ?? []).map(inOrder),
      grounded: turn.grounded ?? false,
    },
    finish_reason: turn.finish_reason ?? 'stop',
    model: turn.model ?? '',
    cached: false,
    usage: { input_tokens: turn.input_tokens ?? 0, output_tokens: turn.output_tokens ?? 0 },
    timings: {
      queue_ms: sinceAccepted(turn, turn.started_at) ?? totalMs,
      first_token_ms: sinceAccepted(turn, turn.first_text_at),
      total_ms: totalMs,
    },
  };
}

/** How a turn ended as its last event, with what was said before it; `terminal` null while it is open. */
export function storedOutcome(turn: TurnRow): StoredOutcome {
  if (turn.state !== 'done') return { terminal: null, content: [] };
  if (turn.outcome === 'cancelled') return { terminal: { type: 'cancelled' }, content: [] };
  if (turn.outcome !== 'completed') {
    const problem = turn.problem ?? new ProblemError('internal').toProblem(turn.request_id ?? undefined);
    return { terminal: { type: 'failed', problem }, content: [] };
  }
  const completed = completedOf(turn);
  const content: ReplyEventBody[] = [
    { type: 'delta', text: completed.reply.text },
    ...completed.reply.citations.map((citation) => ({ type: 'citation' as const, ...citation })),
  ];
  return { terminal: { type: 'completed', ...completed }, content };
}
