import type { CreatorView } from '@sidestage/contracts';
import { ArrowUp, Square } from 'lucide-react';
import { type KeyboardEvent, type Ref, useEffect, useImperativeHandle, useRef, useState } from 'react';
import { useQuotas } from '../appContext.js';
import { useNow } from '../hooks.js';
import { clock, secondsLeft, tightest, windowName } from '../model/quota.js';
import { isOver } from '../model/turn.js';
import { limitWords } from '../model/words.js';
import type { Conversation } from './conversation.js';
import type { ConversationState } from './conversationStore.js';
import { prepareReplyText } from './ReplyText.js';

export interface ComposerHandle {
  focus: () => void;
}

interface ComposerProps {
  ref: Ref<ComposerHandle>;
  conversation: Conversation;
  state: ConversationState;
  creator: CreatorView;
  onSend: (text: string) => void;
}

const maxCharacters = 8000;

export function Composer({ ref, conversation, state, creator, onSend }: ComposerProps) {
  const field = useRef<HTMLTextAreaElement>(null);
  const draftKey = `sidestage.draft.${conversation.creator}.${state.id ?? 'new'}`;
  const [text, setText] = useState(() => sessionStorage.getItem(draftKey) ?? '');
  const { returned, limited } = state;
  const stoppable = state.turns.findLast((turn) => !isOver(turn.phase));
  const words = text.trim();

  useImperativeHandle(ref, () => ({ focus: () => field.current?.focus() }), []);
  useEffect(() => {
    if (text) sessionStorage.setItem(draftKey, text);
    else sessionStorage.removeItem(draftKey);
  }, [text, draftKey]);
  useEffect(() => {
    if (returned === null) return;
    setText((typed) => [returned, typed].filter(Boolean).join('\n'));
    conversation.takeReturned();
  }, [returned, conversation]);

  const send = () => {
    if (!words || words.length > maxCharacters || (limited && limited.untilMs > Date.now())) return;
    onSend(words);
    setText('');
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return;
    if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault();
      send();
    } else if (event.key === 'ArrowUp' && text === '') {
      const last = state.turns.at(-1)?.fanText;
      if (last) {
        event.preventDefault();
        setText(last);
      }
    }
  };

  return (
    <div className="composer-frame">
      {limited && <LimitNotice conversation={conversation} limited={limited} />}
      <form
        className="composer"
        onSubmit={(event) => {
          event.preventDefault();
          send();
        }}
      >
        <textarea
          ref={field}
          rows={1}
          dir="auto"
          value={text}
          placeholder={`Ask ${creator.name}`}
          aria-label={`Message to ${creator.name}`}
          aria-describedby="composer-note"
          onChange={(event) => setText(event.target.value)}
          onFocus={prepareReplyText}
          onKeyDown={onKeyDown}
          enterKeyHint="send"
        />
        {stoppable && !words ? (
          <button
            type="button"
            className="send"
            aria-label={stoppable.phase === 'held' ? 'Take the message back' : 'Stop the reply'}
            onClick={() => conversation.stop(stoppable)}
          >
            <Square aria-hidden="true" className="stop-icon" />
          </button>
        ) : (
          <button type="submit" className="send" aria-label="Send" aria-disabled={!words || limited !== null}>
            <ArrowUp aria-hidden="true" />
          </button>
        )}
      </form>
      <div className="composer-note" id="composer-note">
        {words.length > maxCharacters - 500 ? (
          <span className={words.length > maxCharacters ? 'too-long tabular' : 'tabular'}>
            {words.length.toLocaleString('en')} of {maxCharacters.toLocaleString('en')} characters
          </span>
        ) : (
          <span>
            <span className="note-long">An AI that speaks from {creator.name}’s material. Check the marks.</span>
            <span className="note-short">An AI. Check the marks.</span>
          </span>
        )}
        <QuotaLeft />
      </div>
    </div>
  );
}

function LimitNotice({
  conversation,
  limited,
}: {
  conversation: Conversation;
  limited: NonNullable<ConversationState['limited']>;
}) {
  const now = useNow(250);
  const left = secondsLeft(limited.untilMs, now);
  useEffect(() => {
    if (left === 0) conversation.clearLimit();
  }, [left, conversation]);
  return (
    <div className="limit-notice" role="status">
      <span>
        {limitWords(limited.problem)} <span aria-hidden="true">Next message in </span>
        <span className="visually-hidden">Your words are kept and can be sent in a moment.</span>
        <strong className="tabular" aria-hidden="true">
          {clock(left)}
        </strong>
      </span>
    </div>
  );
}

/** What is left of the fan's own limits; quiet until it matters. */
function QuotaLeft() {
  const quotas = useQuotas();
  const now = useNow(5000, quotas.length > 0);
  const quota = tightest(quotas, now);
  if (!quota) return null;
  const window = windowName(quota.policy) === 'hour' ? 'this hour' : 'this minute';
  return (
    <span className="quota tabular">
      {quota.remaining} of {quota.limit} left {window}
    </span>
  );
}
