import type { CreatorView } from '@sidestage/contracts';
import { Check, Clock, MonitorSmartphone } from 'lucide-react';
import { memo, useEffect } from 'react';
import type { Turn } from '../model/turn.js';
import type { Conversation } from './conversation.js';
import { ReplyEnd } from './ReplyEnd.js';
import { ReplyProgress } from './ReplyProgress.js';
import { prepareReplyText, ReplyText } from './ReplyText.js';

interface TurnViewProps {
  turn: Turn;
  creator: CreatorView;
  conversation: Conversation;
  isLast: boolean;
  onAsk: (question: string) => void;
  /** The citation of this turn whose source is open. */
  openIndex: number | null;
  onOpenCitation: (turnKey: string, index: number) => void;
}

/** One message of the fan and its reply. */
export const TurnView = memo(function TurnView(props: TurnViewProps) {
  const { turn, creator, openIndex, onOpenCitation } = props;
  // The renderer is on its way while the reply is.
  useEffect(prepareReplyText, []);
  const open = (index: number) => onOpenCitation(turn.key, index);
  return (
    <article className="turn" aria-label={`You asked: ${turn.fanText.slice(0, 80)}`}>
      <h2 className="visually-hidden">You asked</h2>
      <div className="fan">
        <p className="fan-words" dir="auto">
          {turn.fanText}
        </p>
        <FanState turn={turn} />
      </div>
      <div className="reply" data-phase={turn.phase}>
        {turn.droppedText && (
          <div className="dropped" aria-hidden="true" dir="auto">
            {turn.droppedText}
          </div>
        )}
        <ReplyProgress turn={turn} creator={creator} />
        {turn.text && <ReplyText turn={turn} openIndex={openIndex} onOpen={open} />}
        <ReplyEnd {...props} onOpen={open} />
      </div>
    </article>
  );
});

function FanState({ turn }: { turn: Turn }) {
  const time = new Date(turn.sentAtMs).toLocaleTimeString([], { hour: 'numeric', minute: '2-digit' });
  const state =
    turn.phase === 'held' ? (
      <>
        <Clock aria-hidden="true" /> Waits for the connection
      </>
    ) : turn.phase === 'sending' ? (
      <>
        <Clock aria-hidden="true" /> <span className="visually-hidden">Sending</span>
      </>
    ) : turn.messageId !== null ? (
      <>
        {turn.fromElsewhere && (
          <>
            <MonitorSmartphone aria-hidden="true" />
            <span className="visually-hidden">Sent from another device</span>
          </>
        )}
        <Check aria-hidden="true" className="tick" /> <span className="visually-hidden">Received</span>
      </>
    ) : null;
  return (
    <p className="fan-state">
      {state} <time dateTime={new Date(turn.sentAtMs).toISOString()}>{time}</time>
    </p>
  );
}
