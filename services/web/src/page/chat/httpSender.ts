import type { ClientEvent } from '@sidestage/contracts';
import type { Gateway } from '../api/gateway.js';
import { isRecord, ProblemError, unreachable } from '../api/problem.js';
import { readReplyEvents } from '../api/replyStream.js';
import { backoffMs } from '../model/backoff.js';
import { isOver, type Turn } from '../model/turn.js';

export interface HttpSending {
  /** Id or slug. */
  creator: string;
  conversationId: string | null;
  /** The turn as it is now. */
  current: () => Turn | undefined;
  onEvent: (event: ClientEvent) => void;
}

const maxSilentTries = 8;

/**
 * The way around a socket that does not get through: POST with an SSE answer, then the turn's event stream from the last `seq` on, until the
 * reply has ended. A repeated POST carries the same idempotency key and so attaches to the running turn.
 */
export async function sendOverHttp(gateway: Gateway, turn: Turn, sending: HttpSending): Promise<void> {
  for (let tries = 0; tries < maxSilentTries; tries += 1) {
    const now = sending.current() ?? turn;
    if (isOver(now.phase)) return;
    let heard = false;
    const onEvent = (event: ClientEvent) => {
      heard = true;
      sending.onEvent(event);
    };
    try {
      const response = await openStream(gateway, now, sending);
      if (response.body) await readReplyEvents(response.body, onEvent);
    } catch (error) {
      if (error instanceof ProblemError && !isWorthAnotherTry(error, now)) throw error;
    }
    if (heard) tries = 0;
    const after = sending.current();
    if (!after || isOver(after.phase)) return;
    await new Promise((resolve) => setTimeout(resolve, backoffMs(tries + 1, Math.random())));
  }
  throw new ProblemError(unreachable);
}

/** A cut line, a key that is still being worked on, or a server in trouble while the turn is safely accepted. */
function isWorthAnotherTry(error: ProblemError, turn: Turn): boolean {
  const { code, status } = error.problem;
  return code === 'unreachable' || code === 'idempotency_in_progress' || (turn.messageId !== null && status >= 500);
}

async function openStream(gateway: Gateway, turn: Turn, sending: HttpSending): Promise<Response> {
  if (turn.messageId !== null) {
    const path = `/api/v1/messages/${encodeURIComponent(turn.messageId)}/events`;
    const headers = { Accept: 'text/event-stream', 'Last-Event-ID': String(turn.lastSeq) };
    return gateway.call('GET', path, { headers });
  }
  const response = await gateway.call('POST', '/api/v1/chat', {
    body: {
      message: turn.fanText,
      creator_id: sending.creator,
      ...(sending.conversationId && { conversation_id: sending.conversationId }),
    },
    headers: { Accept: 'text/event-stream', 'Idempotency-Key': turn.idempotencyKey },
  });
  if (response.headers.get('Content-Type')?.includes('text/event-stream')) return response;
  // A repeated key whose turn is over is answered with the stored reply and not with a stream.
  sending.onEvent(asCompletedEvent(await response.json(), turn.lastSeq));
  return new Response(null, { status: 204 });
}

function asCompletedEvent(body: unknown, lastSeq: number): ClientEvent {
  if (!isRecord(body) || !isRecord(body.reply)) throw new ProblemError(unreachable);
  return { ...body, type: 'completed', seq: lastSeq + 1 } as ClientEvent;
}
