import type { CreatorView } from '@sidestage/contracts';
import { useVirtualizer } from '@tanstack/react-virtual';
import { ArrowDown } from 'lucide-react';
import { useEffect, useLayoutEffect, useRef, useState } from 'react';
import { Link } from 'wouter';
import type { Turn } from '../model/turn.js';
import { Waiting } from '../ui/Waiting.js';
import type { Conversation } from './conversation.js';
import { type ConversationState, isGone } from './conversationStore.js';
import { Introduction } from './Introduction.js';
import { TurnView } from './TurnView.js';
import type { OpenCitation } from './useOpenCitation.js';

interface MessageListProps {
  conversation: Conversation;
  state: ConversationState;
  creator: CreatorView;
  /** Counts what was sent here: each takes the reader to the end. */
  sent: number;
  onAsk: (question: string) => void;
  openCitation: OpenCitation;
}

/** This near to the end counts as being there. */
const endThresholdPx = 80;
const loadOlderWithinPx = 240;

/** The turns. Only those in sight are rendered; the view follows a growing reply only while the reader is at the end. */
export function MessageList(props: MessageListProps) {
  const { conversation, state } = props;
  if (state.turns.length > 0) return <Turns {...props} />;
  if (state.history === 'loading') return <Waiting>Fetching what was said</Waiting>;
  if (state.history === 'failed') {
    const gone = isGone(state);
    return (
      <div className="notice-page" role="alert">
        <h2>{gone ? 'This conversation is not here' : 'The conversation could not be fetched'}</h2>
        <p>
          {gone ? 'It may have been deleted, or belongs to another account.' : 'The line may be down for a moment.'}
        </p>
        {gone ? (
          <Link className="button" href={`/c/${props.creator.slug}`}>
            Begin a new one
          </Link>
        ) : (
          <button type="button" className="button" onClick={() => void conversation.loadHistory()}>
            Try again
          </button>
        )}
      </div>
    );
  }
  return <Introduction creator={props.creator} onAsk={props.onAsk} />;
}

function Turns({ conversation, state, creator, sent, onAsk, openCitation }: MessageListProps) {
  const { turns } = state;
  const scroller = useRef<HTMLDivElement>(null);
  const [atEnd, setAtEnd] = useState(true);
  const seen = useRef('');
  const virtualizer = useVirtualizer({
    count: turns.length,
    getScrollElement: () => scroller.current,
    estimateSize: (index) => estimateHeight(turns[index]),
    getItemKey: (index) => turns[index]?.key ?? index,
    overscan: 4,
    paddingStart: 24,
    paddingEnd: 32,
    anchorTo: 'end',
    followOnAppend: true,
    scrollEndThreshold: endThresholdPx,
  });

  useLayoutEffect(() => virtualizer.scrollToEnd(), [virtualizer]);
  useEffect(() => {
    if (sent > 0) virtualizer.scrollToEnd();
  }, [sent, virtualizer]);

  // What is loaded above is not new: only what comes after the last words that were in sight.
  const last = turns.at(-1);
  const newest = `${last?.key} ${last?.text.length}`;
  useEffect(() => {
    if (atEnd) seen.current = newest;
  }, [atEnd, newest]);
  const onScroll = () => {
    const frame = scroller.current;
    if (!frame) return;
    setAtEnd(frame.scrollHeight - frame.scrollTop - frame.clientHeight <= endThresholdPx);
    if (frame.scrollTop < loadOlderWithinPx) void conversation.loadOlder();
  };
  // A page that did not fill the room above asks for the next one without being scrolled.
  useEffect(() => {
    if (state.older === 'more' && (scroller.current?.scrollTop ?? 0) < loadOlderWithinPx) void conversation.loadOlder();
  }, [state.older, conversation]);

  return (
    <div className="turns-frame">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region has to be reachable by keyboard */}
      <section className="turns-scroller" ref={scroller} onScroll={onScroll} tabIndex={0} aria-label="Conversation">
        {state.older !== 'none' && (
          <button type="button" className="older" onClick={() => void conversation.loadOlder()}>
            {state.older === 'loading' ? 'Fetching earlier messages' : 'Earlier messages'}
          </button>
        )}
        <div className="turns" style={{ height: virtualizer.getTotalSize() }}>
          {virtualizer.getVirtualItems().map((item) => {
            const turn = turns[item.index];
            if (!turn) return null;
            return (
              <div
                key={item.key}
                className="turn-place"
                data-index={item.index}
                ref={virtualizer.measureElement}
                style={{ transform: `translateY(${item.start}px)` }}
              >
                <TurnView
                  turn={turn}
                  creator={creator}
                  conversation={conversation}
                  isLast={item.index === turns.length - 1}
                  onAsk={onAsk}
                  openIndex={openCitation.turnKey === turn.key ? (openCitation.current?.index ?? null) : null}
                  onOpenCitation={openCitation.open}
                />
              </div>
            );
          })}
        </div>
      </section>
      {!atEnd && (
        <button type="button" className="to-end" onClick={() => virtualizer.scrollToEnd({ behavior: 'smooth' })}>
          <ArrowDown aria-hidden="true" />
          {newest === seen.current ? 'To the end' : 'New text'}
        </button>
      )}
    </div>
  );
}

function estimateHeight(turn: Turn | undefined): number {
  if (!turn) return 160;
  const lines = Math.ceil(turn.fanText.length / 60) + Math.ceil(turn.text.length / 78);
  return 150 + lines * 26;
}
