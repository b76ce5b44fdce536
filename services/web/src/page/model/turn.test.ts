import { describe, expect, it } from '@jest/globals';
import type { ClientEvent, HistoryMessage, ReplyEventBody } from '@sidestage/contracts';
import { applyEvent, makeTurn, mergeHistory, type Turn, turnsOfHistory } from './turn.js';

const now = 1_000_000;
const event = (seq: number, body: ReplyEventBody): ClientEvent =>
  ({ ...body, seq, message_id: 'm1', conversation_id: 'c1' }) as ClientEvent;
const play = (turn: Turn, ...events: ClientEvent[]): Turn =>
  events.reduce((known, next) => applyEvent(known, next, now), turn);
const sent = (): Turn => makeTurn({ key: 'k1', fanText: 'Why?', sentAtMs: now, messageId: 'm1', phase: 'accepted' });
const citation = {
  type: 'citation' as const,
  source_id: 's1',
  title: 'Rye',
  url: 'https://example.org',
  start_seconds: 12,
  end_seconds: 14,
  quote: 'the crumb turns to gum',
  index: 1,
  offset: 4,
};
const completed = (text: string): ReplyEventBody => ({
  type: 'completed',
  message_id: 'm1',
  conversation_id: 'c1',
  creator_id: 'cr',
  status: 'completed',
  reply: { text, citations: [], grounded: true },
  finish_reason: 'stop',
  model: 'x/y',
  cached: false,
  usage: { input_tokens: 1, output_tokens: 1 },
  timings: { queue_ms: 1, first_token_ms: 1, total_ms: 1 },
});

describe('applyEvent', () => {
  it('grows the text in order and ends with the whole reply', () => {
    const turn = play(
      sent(),
      event(1, { type: 'started', attempt: 1, model: 'x' }),
      event(2, { type: 'delta', text: 'Yes' }),
      event(3, { type: 'delta', text: ', so.' }),
    );
    expect(turn).toMatchObject({ phase: 'streaming', text: 'Yes, so.', lastSeq: 3 });
    expect(play(turn, event(4, completed('Yes, so!')))).toMatchObject({ phase: 'completed', text: 'Yes, so!' });
  });

  it('takes an event that a resume repeats only once', () => {
    const first = event(1, { type: 'delta', text: 'Yes' });
    const turn = play(sent(), first, first, event(1, { type: 'delta', text: 'No' }));
    expect(turn.text).toBe('Yes');
  });

  it('goes on after a jump in seq, as after a lost replay buffer', () => {
    const turn = play(
      sent(),
      event(2, { type: 'delta', text: 'old' }),
      event(40, { type: 'reset', attempt: 2, recovered: false }),
      event(41, { type: 'delta', text: 'new' }),
    );
    expect(turn).toMatchObject({ text: 'new', lastSeq: 41, droppedText: '' });
  });

  it('keeps the dropped words for fading until new ones come', () => {
    const turn = play(sent(), event(1, { type: 'delta', text: 'old' }), event(2, citation));
    expect(turn.citations).toHaveLength(1);
    const reset = play(turn, event(3, { type: 'reset', attempt: 2 }));
    expect(reset).toMatchObject({ phase: 'started', text: '', droppedText: 'old', restarted: true, citations: [] });
  });

  it('changes nothing after the end', () => {
    const over = play(sent(), event(1, { type: 'cancelled' }));
    expect(play(over, event(2, { type: 'delta', text: 'late' }))).toBe(over);
  });

  it('says when the place in line gets worse, and only then', () => {
    const third = play(sent(), event(1, { type: 'queued', position: 3, eta_ms: 5000 }));
    expect(third.queue?.movedBack).toBe(false);
    const fifth = play(third, event(2, { type: 'queued', position: 5, eta_ms: 9000 }));
    expect(fifth.queue).toMatchObject({ position: 5, movedBack: true });
    expect(play(fifth, event(3, { type: 'queued', position: null, eta_ms: null })).queue?.movedBack).toBe(false);
  });

  it('shows a citation that comes twice once', () => {
    expect(play(sent(), event(1, citation), event(2, citation)).citations).toHaveLength(1);
  });
});

const line = (
  messageId: string,
  role: 'fan' | 'creator',
  at: string,
  more: Partial<HistoryMessage> = {},
): HistoryMessage => ({
  id: `${messageId}:${role}`,
  message_id: messageId,
  role,
  text: `${role} of ${messageId}`,
  created_at: at,
  status: 'completed',
  ...more,
});

describe('history', () => {
  it('pairs a message with its reply', () => {
    const turns = turnsOfHistory([
      line('m1', 'fan', '2026-01-01T10:00:00Z'),
      line('m1', 'creator', '2026-01-01T10:00:05Z', { feedback: 'up' }),
      line('m2', 'fan', '2026-01-01T10:01:00Z', { status: 'running' }),
    ]);
    expect(turns).toHaveLength(2);
    expect(turns[0]).toMatchObject({ fanText: 'fan of m1', text: 'creator of m1', feedback: 'up', phase: 'completed' });
    expect(turns[1]).toMatchObject({ phase: 'started', text: '' });
  });

  it('keeps how a reply ended: a refusal is not taken for a reply without material', () => {
    const ended = (finish_reason: 'blocked' | 'length') =>
      turnsOfHistory([line('m1', 'creator', '2026-01-01T10:00:05Z', { finish_reason, grounded: false })])[0];
    expect(ended('blocked')).toMatchObject({ blocked: true, cutShort: false });
    expect(ended('length')).toMatchObject({ blocked: false, cutShort: true });
  });

  it('joins a pair that a page boundary has parted', () => {
    const newer = turnsOfHistory([line('m1', 'creator', '2026-01-01T10:00:05Z')]);
    const older = turnsOfHistory([line('m1', 'fan', '2026-01-01T10:00:00Z')]);
    expect(mergeHistory(newer, older)).toMatchObject([{ fanText: 'fan of m1', text: 'creator of m1' }]);
  });

  it('does not let the stored line of a running turn undo what was streamed', () => {
    const live = { ...sent(), phase: 'streaming' as const, text: 'Yes, ', lastSeq: 7 };
    const merged = mergeHistory(
      [live],
      turnsOfHistory([line('m1', 'fan', '2026-01-01T10:00:00Z', { status: 'running' })]),
    );
    expect(merged).toEqual([live]);
  });

  it('takes over a reply that was finished while this page was away, under the same key', () => {
    const live = { ...sent(), phase: 'streaming' as const, text: 'Yes, ', lastSeq: 7 };
    const stored = turnsOfHistory([
      line('m1', 'fan', '2026-01-01T10:00:00Z'),
      line('m1', 'creator', '2026-01-01T10:00:05Z'),
    ]);
    expect(mergeHistory([live], stored)).toMatchObject([{ key: 'k1', phase: 'completed', text: 'creator of m1' }]);
  });

  it('keeps messages that are not sent yet at the end', () => {
    const held = makeTurn({ key: 'k9', fanText: 'later', sentAtMs: 0 });
    const merged = mergeHistory([held], turnsOfHistory([line('m1', 'fan', '2026-01-01T10:00:00Z')]));
    expect(merged.map((turn) => turn.key)).toEqual(['m1', 'k9']);
  });
});
