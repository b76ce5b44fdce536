import type { ClientEvent, ReplyEventBody, TurnView } from '@sidestage/contracts';

/**
 * Numbers of events told from the stored turn start above this, as the gateway's do where the replay buffer is gone, so that a turn may go on by
 * another road in the middle of them.
 */
const storedSeqBase = 1_000_000_000_000;

/** How a turn stands, as events: its place while it waits, nothing while it runs, and the whole reply once it is over. */
export function eventsOf(view: TurnView): ClientEvent[] {
  const { message_id, conversation_id } = view;
  if (view.status === 'queued') {
    return [
      {
        type: 'queued',
        position: view.position ?? null,
        eta_ms: view.eta_ms ?? null,
        seq: 0,
        message_id,
        conversation_id,
      },
    ];
  }
  const end = endOf(view);
  if (end === null) return [];
  const bodies: ReplyEventBody[] = [{ type: 'reset', attempt: 1, recovered: false }, ...contentOf(end), end];
  return bodies.map((body, index) => ({ ...body, seq: storedSeqBase + index + 1, message_id, conversation_id }));
}

function contentOf(end: ReplyEventBody): ReplyEventBody[] {
  if (end.type !== 'completed') return [];
  const { text, citations } = end.reply;
  return [{ type: 'delta', text }, ...citations.map((citation) => ({ type: 'citation' as const, ...citation }))];
}

function endOf(view: TurnView): ReplyEventBody | null {
  if (view.status === 'cancelled') return { type: 'cancelled' };
  if (view.status === 'failed') {
    const unknown = { type: 'about:blank', title: 'The turn failed', status: 500, code: 'internal' };
    return { type: 'failed', problem: view.error ?? unknown };
  }
  const { reply, status } = view;
  if (status !== 'completed' || reply === undefined) return null;
  return {
    type: 'completed',
    message_id: view.message_id,
    conversation_id: view.conversation_id,
    creator_id: view.creator_id,
    status,
    reply,
    finish_reason: view.finish_reason ?? 'stop',
    model: view.model ?? '',
    cached: view.cached ?? false,
    usage: view.usage ?? { input_tokens: 0, output_tokens: 0 },
    timings: view.timings ?? { queue_ms: 0, first_token_ms: null, total_ms: 0 },
  };
}
