import { joinHearings, judgeHearing, shownText } from './hearings.js';
import {
  type Hearing,
  type SentTurn,
  type StoredTurn,
  type Verdict,
  type VerdictKind,
  verdictKinds,
} from './records.js';

export interface LedgerInput {
  sent: readonly SentTurn[];
  /** By message id. */
  hearings: ReadonlyMap<string, readonly Hearing[]>;
  stored: readonly StoredTurn[];
  /** An answer after this is late. Milliseconds from acceptance. */
  lateMs: number;
  /** Ids of turns that had been set aside and were tried again by an operator: told as failed, answered later, out of their order. */
  retried?: ReadonlySet<string>;
}

export interface Ledger {
  counts: Record<VerdictKind, number>;
  /** Turns the fleet said it has. */
  accepted: number;
  verdicts: { turn: SentTurn; verdict: Verdict }[];
  /** Turns in Postgres that nobody sent, or of a key that is there twice. */
  strangers: number;
}

/** Holds what was sent, what was heard and what is stored against each other. */
export function makeLedger({ sent, hearings, stored, lateMs, retried = new Set() }: LedgerInput): Ledger {
  const byKey = new Map<string, StoredTurn[]>();
  for (const row of stored)
    byKey.set(row.idempotency_key ?? '', [...(byKey.get(row.idempotency_key ?? '') ?? []), row]);
  const reordered = findReordered(sent, byKey, retried);
  const verdicts = sent.map((turn) => {
    const rows = byKey.get(turn.key) ?? [];
    const heard = (turn.messageId !== null && hearings.get(turn.messageId)) || [];
    const [row] = rows;
    if (row && retried.has(row.id)) return { turn, verdict: judgeRetried(row) };
    const verdict = judge(turn, rows, heard, lateMs);
    const outOfOrder = reordered.get(turn.key);
    return { turn, verdict: verdict.kind === 'answered' && outOfOrder ? outOfOrder : verdict };
  });
  const counts = Object.fromEntries(verdictKinds.map((kind) => [kind, 0])) as Record<VerdictKind, number>;
  for (const { verdict } of verdicts) counts[verdict.kind] += 1;
  const keys = new Set(sent.map((turn) => turn.key));
  return {
    counts,
    accepted: sent.filter((turn) => turn.acceptedAt !== null || byKey.has(turn.key)).length,
    verdicts,
    strangers: stored.filter((row) => !keys.has(row.idempotency_key ?? '')).length,
  };
}

/** One turn by itself. */
function judge(turn: SentTurn, rows: readonly StoredTurn[], heard: readonly Hearing[], lateMs: number): Verdict {
  const [row, second] = rows;
  if (second) return { kind: 'duplicated', why: 'its key has two turns' };
  if (!row)
    return turn.acceptedAt === null ? { kind: 'refused', why: refusalOf(turn) } : lost('accepted, and not stored');
  if (turn.messageId !== null && turn.messageId !== row.id) return { kind: 'duplicated', why: 'told of another turn' };
  if (row.state !== 'done') return lost(`never ended: ${row.state}`);
  for (const hearing of heard) {
    const broken = judgeHearing(hearing);
    if (broken) return broken;
  }
  const joined = joinHearings(heard);
  if (joined.verdict) return joined.verdict;
  if (row.outcome === 'cancelled') return { kind: 'cancelled' };
  if (row.outcome !== 'completed')
    return { kind: 'failed', why: `${row.outcome}: ${row.problem?.code ?? 'no reason'}` };

  const text = row.reply_text ?? '';
  if (!text.includes(turn.marker)) return lost('the stored reply answers something else');
  // The fan's program gave up before it was accepted, and the fleet answered all the same.
  if (turn.acceptedAt === null) return { kind: 'answered' };
  if (turn.end === null) return lost('stored, and never told');
  if (turn.end.kind === 'problem') return lost(`stored, and told ${turn.end.problem.code}`);
  if (turn.end.reply.reply.text !== text) return { kind: 'gap', why: 'the end tells another text than is stored' };
  if (turn.end.shown !== text) return { kind: 'gap', why: 'what was shown is not what is stored' };
  if (joined.events.length > 0 && shownText(joined.events) !== text)
    return { kind: 'gap', why: 'what was on the wire is not what is stored' };
  const tookMs = (turn.endedAt ?? 0) - turn.sentAt;
  return tookMs > lateMs ? { kind: 'late', why: `${Math.round(tookMs / 1_000)} s` } : { kind: 'answered' };
}

/** Its fan was told that it failed; the history has the answer. */
function judgeRetried(row: StoredTurn): Verdict {
  if (row.state !== 'done') return lost(`never ended: ${row.state}`);
  return row.outcome === 'completed' ? { kind: 'answered' } : { kind: 'failed', why: `${row.outcome} again` };
}

function lost(why: string): Verdict {
  return { kind: 'lost', why };
}

function refusalOf(turn: SentTurn): string {
  return turn.end?.kind === 'problem' ? turn.end.problem.code : 'no answer';
}

/** Turns that do not stand in the order of sending, or began before the one before them had ended. */
function findReordered(
  sent: readonly SentTurn[],
  byKey: ReadonlyMap<string, StoredTurn[]>,
  retried: ReadonlySet<string>,
): Map<string, Verdict> {
  const conversations = new Map<string, SentTurn[]>();
  for (const turn of sent) {
    const turns = conversations.get(turn.conversation);
    if (turns) turns.push(turn);
    else conversations.set(turn.conversation, [turn]);
  }
  const found = new Map<string, Verdict>();
  for (const turns of conversations.values()) {
    const inOrder = turns
      .toSorted((a, b) => a.place - b.place)
      .flatMap((turn) => byKey.get(turn.key)?.slice(0, 1) ?? [])
      .filter((row) => !retried.has(row.id));
    for (const [index, row] of inOrder.entries()) {
      const before = inOrder[index - 1];
      const why = before && whyReordered(before, row);
      if (why) found.set(row.idempotency_key ?? '', { kind: 'reordered', why });
    }
  }
  return found;
}

function whyReordered(before: StoredTurn, row: StoredTurn): string | null {
  if (row.conversation_id !== before.conversation_id) return 'in another conversation than the one before';
  if (row.ordinal <= before.ordinal) return `ordinal ${row.ordinal} after ${before.ordinal}`;
  if (row.started_at && before.ended_at && row.started_at < before.ended_at)
    return 'began before the one before had ended';
  return null;
}
