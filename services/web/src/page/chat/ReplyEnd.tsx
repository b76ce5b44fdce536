import type { Citation, CreatorView } from '@sidestage/contracts';
import { Check, Copy, RotateCcw, ThumbsDown, ThumbsUp } from 'lucide-react';
import { useState } from 'react';
import { useNow } from '../hooks.js';
import { markLabel } from '../model/citations.js';
import { clock, secondsLeft } from '../model/quota.js';
import type { Turn } from '../model/turn.js';
import { wordsFor } from '../model/words.js';
import type { Conversation } from './conversation.js';
import { Questions } from './Questions.js';

interface ReplyEndProps {
  turn: Turn;
  creator: CreatorView;
  conversation: Conversation;
  isLast: boolean;
  onAsk: (question: string) => void;
  onOpen: (index: number) => void;
}

/** How a reply ended, and what can be done with it. */
export function ReplyEnd(props: ReplyEndProps) {
  const { turn } = props;
  if (turn.phase === 'failed') return <Failed {...props} />;
  if (turn.phase === 'cancelled') return <Stopped {...props} />;
  if (turn.phase === 'completed') return <Finished {...props} />;
  return null;
}

function Finished({ turn, creator, conversation, isLast, onAsk, onOpen }: ReplyEndProps) {
  const nothingFound = !turn.grounded && !turn.blocked;
  return (
    <>
      {turn.cutShort && <p className="aside">The reply reached its full length and stops here.</p>}
      {turn.blocked && <p className="aside">{creator.name} does not go into this. Ask something else.</p>}
      {nothingFound && <p className="aside">Not from the creator’s own material.</p>}
      <Sources citations={turn.citations} onOpen={onOpen} />
      <Actions turn={turn} conversation={conversation} />
      {nothingFound && isLast && creator.questions.length > 0 && (
        <div className="nearby">
          <p>{creator.name} does talk about</p>
          <Questions creator={creator} onAsk={onAsk} />
        </div>
      )}
    </>
  );
}

/** One chip a source, at its first cited moment. */
function Sources({ citations, onOpen }: { citations: Citation[]; onOpen: (index: number) => void }) {
  const first = citations.filter(
    (citation, at) => citations.findIndex((other) => other.source_id === citation.source_id) === at,
  );
  if (first.length === 0) return null;
  return (
    <ul className="sources" aria-label="Sources of this reply">
      {first.map((citation) => (
        <li key={citation.index}>
          <button type="button" className="chip" onClick={() => onOpen(citation.index)}>
            <span className="chip-moment">{markLabel(citation)}</span>
            <span className="chip-title">{citation.title}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}

function Actions({ turn, conversation }: { turn: Turn; conversation: Conversation }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(turn.text);
    setCopied(true);
    setTimeout(() => setCopied(false), 2000);
  };
  return (
    <div className="actions">
      <button type="button" className="icon-button" aria-label={copied ? 'Copied' : 'Copy the reply'} onClick={copy}>
        {copied ? <Check aria-hidden="true" /> : <Copy aria-hidden="true" />}
      </button>
      <button
        type="button"
        className="icon-button"
        aria-label="Good reply"
        aria-pressed={turn.feedback === 'up'}
        onClick={() => void conversation.rate(turn, 'up')}
      >
        <ThumbsUp aria-hidden="true" />
      </button>
      <button
        type="button"
        className="icon-button"
        aria-label="Bad reply"
        aria-pressed={turn.feedback === 'down'}
        onClick={() => void conversation.rate(turn, 'down')}
      >
        <ThumbsDown aria-hidden="true" />
      </button>
      <button type="button" className="icon-button" aria-label="Ask again" onClick={() => conversation.again(turn)}>
        <RotateCcw aria-hidden="true" />
      </button>
    </div>
  );
}

function Failed({ turn, creator, conversation }: ReplyEndProps) {
  const problem = turn.problem;
  const untilMs = turn.problemAtMs + (problem?.retry_after_seconds ?? 0) * 1000;
  const now = useNow(500, untilMs > Date.now());
  const left = secondsLeft(untilMs, now);
  return (
    <div className="failed">
      <p>{problem ? wordsFor(problem, creator.name) : 'No answer came.'}</p>
      <button type="button" className="button" disabled={left > 0} onClick={() => conversation.again(turn)}>
        <RotateCcw aria-hidden="true" />
        {left > 0 ? <span className="tabular">Try again in {clock(left)}</span> : 'Try again'}
      </button>
    </div>
  );
}

function Stopped({ turn, conversation }: ReplyEndProps) {
  return (
    <div className="stopped">
      <p className="aside">{turn.text ? 'Stopped here.' : 'Stopped before an answer came.'}</p>
      <button type="button" className="button button-quiet" onClick={() => conversation.again(turn)}>
        <RotateCcw aria-hidden="true" />
        Ask again
      </button>
    </div>
  );
}
