import { describe, expect, test } from '@jest/globals';
import type { ClientEvent, Completed } from '@sidestage/contracts';
import { makeLedger } from './ledger.js';
import type { Hearing, SentTurn, StoredTurn } from './records.js';

const text = 'You asked q1z and the answer is yes.';
const at = (seconds: number): Date => new Date(1_700_000_000_000 + seconds * 1_000);

const event = (seq: number, body: object): ClientEvent =>
  ({ seq, message_id: 'm1', conversation_id: 'c1', ...body }) as ClientEvent;
const queued = event(1, { type: 'queued', position: 1, eta_ms: null });
const started = event(2, { type: 'started', attempt: 1, model: 'm' });
const first = event(3, { type: 'delta', text: 'You asked q1z ' });
const second = event(4, { type: 'delta', text: 'and the answer is yes.' });
const completed = {
  message_id: 'm1',
  status: 'completed',
  reply: { text, citations: [], grounded: true },
} as unknown as Completed;
const end = event(5, { type: 'completed', ...completed });
const whole = [queued, started, first, second, end];

const hearing = (events: ClientEvent[], afterSeq = 0): Hearing => ({
  address: 'g',
  afterSeq,
  begunAt: 0,
  heardAt: 0,
  events,
});

function sent(over: Partial<SentTurn> = {}): SentTurn {
  return {
    key: 'k1',
    marker: 'q1z',
    conversation: 'talk',
    place: 0,
    road: 'sse',
    sentAt: at(0).getTime(),
    acceptedAt: at(0).getTime(),
    messageId: 'm1',
    endedAt: at(2).getTime(),
    end: { kind: 'completed', reply: completed, shown: text },
    ...over,
  };
}

function stored(over: Partial<StoredTurn> = {}): StoredTurn {
  return {
    id: 'm1',
    conversation_id: 'c1',
    idempotency_key: 'k1',
    ordinal: 1,
    state: 'done',
    outcome: 'completed',
    reply_text: text,
    problem: null,
    accepted_at: at(0),
    started_at: at(1),
    ended_at: at(2),
    crashes: 0,
    ...over,
  };
}

function verdictOf(turn: SentTurn, rows: StoredTurn[], hearings: Hearing[] = [hearing(whole)]): string {
  const ledger = makeLedger({ sent: [turn], hearings: new Map([['m1', hearings]]), stored: rows, lateMs: 60_000 });
  return ledger.verdicts[0]?.verdict.kind ?? 'none';
}

describe('the ledger of a campaign', () => {
  test('a turn that was accepted, told whole and stored is answered', () => {
    expect(verdictOf(sent(), [stored()])).toBe('answered');
    expect(verdictOf(sent(), [stored()], [hearing(whole.slice(0, 3)), hearing(whole.slice(3), 3)])).toBe('answered');
    const again = [
      queued,
      started,
      first,
      event(4, { type: 'reset', attempt: 2 }),
      event(5, { type: 'delta', text }),
      event(6, { type: 'completed', ...completed }),
    ];
    expect(verdictOf(sent(), [stored()], [hearing(again)])).toBe('answered');
  });

  test.each<[string, SentTurn, StoredTurn[]]>([
    ['accepted and not stored', sent(), []],
    ['never ended', sent(), [stored({ state: 'running', outcome: null })]],
    ['never told', sent({ end: null }), [stored()]],
    [
      'told as failed and stored as answered',
      sent({ end: { kind: 'problem', problem: { type: '', title: '', status: 503, code: 'unavailable' } } }),
      [stored()],
    ],
    ['answered with the reply to something else', sent(), [stored({ reply_text: 'You asked q2z.' })]],
  ])('lost: %s', (_, turn, rows) => {
    expect(verdictOf(turn, rows)).toBe('lost');
  });

  test.each<[string, StoredTurn[], Hearing[]]>([
    ['two turns of one key', [stored(), stored({ id: 'm2' })], [hearing(whole)]],
    ['a number that comes twice', [stored()], [hearing([queued, started, started, first, second, end])]],
    ['an event after the end', [stored()], [hearing([...whole, event(6, { type: 'cancelled' })])]],
    [
      'one number said in two ways',
      [stored()],
      [hearing(whole), hearing([event(4, { type: 'delta', text: 'other' }), end], 3)],
    ],
    ['what the client had already', [stored()], [hearing(whole.slice(0, 3)), hearing([first, second, end], 3)]],
  ])('duplicated: %s', (_, rows, hearings) => {
    expect(verdictOf(sent(), rows, hearings)).toBe('duplicated');
  });

  test.each<[string, SentTurn, Hearing[]]>([
    ['a number that is missing', sent(), [hearing([queued, started, second, end])]],
    ['a resumed stream that begins too late', sent(), [hearing(whole.slice(0, 2)), hearing([second, end], 2)]],
    [
      'another text shown than stored',
      sent({ end: { kind: 'completed', reply: completed, shown: 'half' } }),
      [hearing(whole)],
    ],
  ])('gap: %s', (_, turn, hearings) => {
    expect(verdictOf(turn, [stored()], hearings)).toBe('gap');
  });

  test('a jump is none where the buffer was lost and the reply says so', () => {
    const recovered = [
      event(9, { type: 'reset', attempt: 1, recovered: false }),
      event(10, { type: 'delta', text }),
      event(11, { type: 'completed', ...completed }),
    ];
    expect(verdictOf(sent(), [stored()], [hearing([queued, started, first]), hearing(recovered, 3)])).toBe('answered');
  });

  test('reordered: not in the order of sending, or begun before the one before had ended', () => {
    const turns = [sent(), sent({ key: 'k2', messageId: 'm2', place: 1 })];
    const judge = (second: Partial<StoredTurn>) =>
      makeLedger({
        sent: turns,
        hearings: new Map(),
        stored: [
          stored(),
          stored({ id: 'm2', idempotency_key: 'k2', ordinal: 2, started_at: at(3), ended_at: at(4), ...second }),
        ],
        lateMs: 60_000,
      }).counts.reordered;
    expect(judge({})).toBe(0);
    expect(judge({ ordinal: 0 })).toBe(1);
    expect(judge({ started_at: at(1.5) })).toBe(1);
  });

  test('late, failed, cancelled, refused and strangers are told apart', () => {
    expect(verdictOf(sent({ endedAt: at(61).getTime() }), [stored()])).toBe('late');
    const failed = stored({
      outcome: 'failed',
      reply_text: null,
      problem: { type: '', title: '', status: 502, code: 'model_failed' },
    });
    expect(verdictOf(sent(), [failed], [hearing([queued])])).toBe('failed');
    expect(verdictOf(sent(), [stored({ outcome: 'cancelled', reply_text: null })], [hearing([queued])])).toBe(
      'cancelled',
    );
    expect(verdictOf(sent({ acceptedAt: null, messageId: null }), [])).toBe('refused');
    const ledger = makeLedger({ sent: [], hearings: new Map(), stored: [stored()], lateMs: 60_000 });
    expect(ledger.strangers).toBe(1);
  });
});
