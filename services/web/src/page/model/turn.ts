import type { Citation, ClientEvent, HistoryMessage, Problem } from '@sidestage/contracts';

/**
 * Where a turn stands for the reader. `held`: kept here until there is a connection; `sending`: on its way, outcome not known;
 * the rest follows the reply events.
 */
export type Phase =
  | 'held'
  | 'sending'
  | 'accepted'
  | 'queued'
  | 'started'
  | 'streaming'
  | 'completed'
  | 'failed'
  | 'cancelled';

export interface QueuePlace {
  position: number | null;
  etaMs: number | null;
  /** When this was told, to count down from. */
  toldAtMs: number;
  /** The place is further back than the one told before, which has to be said. */
  movedBack: boolean;
}

export interface Turn {
  /** Stable for the life of the page: what a list keys by. */
  key: string;
  idempotencyKey: string;
  messageId: string | null;
  fanText: string;
  sentAtMs: number;
  phase: Phase;
  lastSeq: number;
  queue: QueuePlace | null;
  /** Ready sources that are being looked through, where the server said so. */
  sources: number | null;
  text: string;
  /** What stood there before a reset; shown fading until new words come. */
  droppedText: string;
  restarted: boolean;
  citations: Citation[];
  grounded: boolean;
  blocked: boolean;
  cutShort: boolean;
  problem: Problem | null;
  problemAtMs: number;
  feedback: 'up' | 'down' | null;
  /** Sent from another device of this conversation. */
  fromElsewhere: boolean;
}

export function makeTurn(fields: Pick<Turn, 'key' | 'fanText' | 'sentAtMs'> & Partial<Turn>): Turn {
  return {
    idempotencyKey: fields.key,
    messageId: null,
    phase: 'held',
    lastSeq: 0,
    queue: null,
    sources: null,
    text: '',
    droppedText: '',
    restarted: false,
    citations: [],
    grounded: true,
    blocked: false,
    cutShort: false,
    problem: null,
    problemAtMs: 0,
    feedback: null,
    fromElsewhere: false,
    ...fields,
  };
}

/** No event changes such a turn any more. */
export function isOver(phase: Phase): boolean {
  return phase === 'completed' || phase === 'failed' || phase === 'cancelled';
}

/** Accepted by the server and not ended: what a stop button stops and a reconnect resumes. */
export function isRunning(turn: Turn): turn is Turn & { messageId: string } {
  return turn.messageId !== null && !isOver(turn.phase);
}

/**
 * The turn after one reply event. Events whose `seq` is not above the last one are repeats of a resume and change nothing; after a lost
 * replay buffer `seq` jumps, so it is compared and never expected to be the next number.
 */
export function applyEvent(turn: Turn, event: ClientEvent, nowMs: number): Turn {
  if (event.seq <= turn.lastSeq || isOver(turn.phase)) return turn;
  const next: Turn = { ...turn, lastSeq: event.seq, messageId: event.message_id };
  switch (event.type) {
    case 'queued':
      return { ...next, phase: 'queued', queue: placeAfter(turn.queue, event, nowMs) };
    case 'started':
      return { ...next, phase: 'started', sources: event.sources ?? turn.sources };
    case 'delta':
      return { ...next, phase: 'streaming', text: turn.text + event.text, droppedText: '' };
    case 'citation':
      return { ...next, citations: withCitation(turn.citations, event) };
    case 'reset':
      return {
        ...next,
        phase: 'started',
        text: '',
        droppedText: turn.text || turn.droppedText,
        citations: [],
        restarted: true,
      };
    case 'completed':
      return {
        ...next,
        phase: 'completed',
        text: event.reply.text,
        citations: event.reply.citations,
        grounded: event.reply.grounded,
        blocked: event.finish_reason === 'blocked',
        cutShort: event.finish_reason === 'length',
        droppedText: '',
        restarted: false,
      };
    case 'failed':
      return { ...next, phase: 'failed', problem: event.problem, problemAtMs: nowMs, droppedText: '' };
    case 'cancelled':
      return { ...next, phase: 'cancelled', droppedText: '' };
  }
}

function placeAfter(
  before: QueuePlace | null,
  told: { position: number | null; eta_ms: number | null },
  nowMs: number,
): QueuePlace {
  const movedBack = before?.position != null && told.position !== null && told.position > before.position;
  return { position: told.position, etaMs: told.eta_ms, toldAtMs: nowMs, movedBack };
}

function withCitation(citations: Citation[], event: Citation): Citation[] {
  if (citations.some((known) => known.index === event.index)) return citations;
  const { source_id, title, url, start_seconds, end_seconds, quote, index, offset } = event;
  return [...citations, { source_id, title, url, start_seconds, end_seconds, quote, index, offset }];
}

const phaseOfStatus = {
  queued: 'accepted',
  running: 'started',
  completed: 'completed',
  failed: 'failed',
  cancelled: 'cancelled',
} as const;

/** Pairs the fan's lines of a history page with their replies; both carry the turn's `message_id`. */
export function turnsOfHistory(messages: HistoryMessage[]): Turn[] {
  const turns = new Map<string, Turn>();
  for (const line of messages) {
    const known =
      turns.get(line.message_id) ??
      makeTurn({
        key: line.message_id,
        messageId: line.message_id,
        fanText: '',
        sentAtMs: Date.parse(line.created_at),
        phase: phaseOfStatus[line.status],
      });
    turns.set(line.message_id, line.role === 'fan' ? withFanLine(known, line) : withReplyLine(known, line));
  }
  return [...turns.values()];
}

function withFanLine(turn: Turn, line: HistoryMessage): Turn {
  return { ...turn, fanText: line.text, sentAtMs: Date.parse(line.created_at), problem: line.error ?? turn.problem };
}

function withReplyLine(turn: Turn, line: HistoryMessage): Turn {
  return {
    ...turn,
    phase: phaseOfStatus[line.status],
    text: line.text,
    citations: line.citations ?? [],
    grounded: line.grounded ?? true,
    blocked: line.finish_reason === 'blocked',
    cutShort: line.finish_reason === 'length',
    feedback: line.feedback ?? null,
    problem: line.error ?? turn.problem,
  };
}

/**
 * History joined with what the page already shows. A live turn knows more than its stored line until it is over, so the page's copy wins
 * unless the history says it ended while we were away. Order is by time of sending, unsent turns last.
 */
export function mergeHistory(current: Turn[], loaded: Turn[]): Turn[] {
  const byMessage = new Map(current.filter((turn) => turn.messageId !== null).map((turn) => [turn.messageId, turn]));
  const merged = loaded.map((stored) => {
    const live = byMessage.get(stored.messageId);
    if (!live) return stored;
    byMessage.delete(stored.messageId);
    // A page of history may begin between a message and its reply; the page before brings the message.
    if (live.fanText === '' && stored.fanText !== '') {
      return { ...live, fanText: stored.fanText, sentAtMs: stored.sentAtMs };
    }
    const endedAway = isOver(stored.phase) && !isOver(live.phase) && stored.phase !== 'failed';
    return endedAway ? { ...stored, key: live.key, lastSeq: live.lastSeq } : live;
  });
  const unsent = current.filter((turn) => turn.messageId === null);
  const rest = [...byMessage.values()];
  return [...[...merged, ...rest].sort((a, b) => a.sentAtMs - b.sentAtMs), ...unsent];
}
