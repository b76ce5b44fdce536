import type { TurnView } from '@sidestage/contracts';
import { isRecord } from './problem.js';

const statuses = new Set(['queued', 'running', 'completed', 'failed', 'cancelled']);

/** The body of a 200 or 202, or null for anything else that came instead. */
export function parseTurnView(body: unknown): TurnView | null {
  if (!isRecord(body) || typeof body.message_id !== 'string' || typeof body.conversation_id !== 'string') return null;
  if (typeof body.status !== 'string' || !statuses.has(body.status)) return null;
  if (body.status === 'completed') {
    const { reply } = body;
    if (!isRecord(reply) || typeof reply.text !== 'string' || !Array.isArray(reply.citations)) return null;
  }
  return body as unknown as TurnView;
}
