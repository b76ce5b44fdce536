import { idempotencyKey, ProblemError, parseOrProblem } from '@sidestage/contracts';
import { sleep } from '@sidestage/runtime';
import type { NewTurn, TurnReadRepository, TurnRow } from '@sidestage/store';
import type { Admission, AdmissionRequest } from '@sidestage/turns';
import { z } from 'zod';
import { messageLocation } from './turn.js';

/** A key this old whose turn Postgres does not have was left by a gateway that died before it could accept. Milliseconds. */
const orphanMs = 10_000;
const commitWaitMs = 1_000;
const headerSchema = z.object({ 'Idempotency-Key': idempotencyKey });

/** The `Idempotency-Key` header, quoted or bare; null without one. Throws `validation_failed`. */
export function readIdempotencyKey(header: string | string[] | undefined): string | null {
  if (header === undefined) return null;
  const value = String(header).trim();
  const bare = /^".*"$/.test(value) && value.length > 1 ? value.slice(1, -1) : value;
  return parseOrProblem(headerSchema, { 'Idempotency-Key': bare })['Idempotency-Key'];
}

/** When a UUIDv7 was made, ms since the epoch. */
function madeAt(id: string): number {
  return Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16);
}

export interface Repeated {
  turn: NewTurn;
  request: AdmissionRequest;
  /** The conversation the message named by id. The retry of a message that began one may name it, or not. */
  named: string | null;
  /** As Redis remembers it; null: look the key up. */
  turnId: string | null;
}

function checkSameBody(row: TurnRow, { turn, named }: Repeated): TurnRow {
  const sameConversation = named === null || named === row.conversation_id;
  if (sameConversation && row.request_hash?.toString('hex') === turn.request_hash) return row;
  throw new ProblemError('idempotency_mismatch', {
    detail: 'This idempotency key came with another message before. Use a new key for a new message.',
    errors: [{ path: 'Idempotency-Key', message: 'was used with another body' }],
  });
}

/**
 * The turn that a repeated key made. Null when that turn was never accepted (the key
 * is free again). Throws `idempotency_mismatch`, or `idempotency_in_progress` while it is being accepted.
 */
export async function findRepeated(
  { turns, admission }: { turns: TurnReadRepository; admission: Admission },
  repeated: Repeated,
): Promise<TurnRow | null> {
  const { turn, request, turnId } = repeated;
  if (turnId === null) {
    const row = await turns.findByIdempotencyKey({ ...turn, idempotency_key: turn.idempotency_key ?? '' });
    return row && checkSameBody(row, repeated);
  }
  for (let waitedMs = 0; ; waitedMs += 50) {
    const row = await turns.find(turn.tenant_id, turnId);
    if (row) return checkSameBody(row, repeated);
    if (Date.now() - madeAt(turnId) > orphanMs) break;
    if (waitedMs >= commitWaitMs) throw stillRunning(turnId);
    await sleep(50);
  }
  await admission.withdraw({ ...request, turn_id: turnId });
  return null;
}

/** The 409 of a repeated key whose turn has not ended. */
export function stillRunning(turnId: string): ProblemError {
  return new ProblemError('idempotency_in_progress', {
    detail: 'The message with this idempotency key is still being answered.',
    headers: { Location: messageLocation(turnId) },
  });
}
