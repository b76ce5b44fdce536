import type { WsServerFrame } from '@sidestage/contracts';
import { isRecord } from './problem.js';

const numbered = new Set(['queued', 'started', 'delta', 'citation', 'reset', 'completed', 'failed', 'cancelled']);

/**
 * A frame of the socket or the data of an SSE event, or null for anything this client does not know: a newer server may say more than this
 * client understands.
 */
export function parseFrame(data: string): WsServerFrame | null {
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch {
    return null;
  }
  if (!isRecord(value) || typeof value.type !== 'string') return null;
  if (numbered.has(value.type)) {
    const complete = typeof value.seq === 'number' && typeof value.message_id === 'string' && hasBody(value);
    return complete ? (value as unknown as WsServerFrame) : null;
  }
  if (value.type === 'accepted') {
    return typeof value.message_id === 'string' && typeof value.conversation_id === 'string'
      ? (value as unknown as WsServerFrame)
      : null;
  }
  if (value.type === 'error') return isRecord(value.problem) ? (value as unknown as WsServerFrame) : null;
  return value.type === 'ready' || value.type === 'pong' ? (value as unknown as WsServerFrame) : null;
}

function hasBody(event: Record<string, unknown>): boolean {
  switch (event.type) {
    case 'delta':
      return typeof event.text === 'string';
    case 'citation':
      return typeof event.index === 'number' && typeof event.offset === 'number' && typeof event.quote === 'string';
    case 'completed':
      return isRecord(event.reply) && typeof event.reply.text === 'string' && Array.isArray(event.reply.citations);
    case 'failed':
      return isRecord(event.problem);
    default:
      return true;
  }
}
