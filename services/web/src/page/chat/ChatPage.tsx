import { problemOf } from '@sidestage/client';
import type { CreatorView } from '@sidestage/contracts';
import { useEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react';
import { useLocation } from 'wouter';
import { useApp, useSession } from '../appContext.js';
import { useCreator, useTitle } from '../hooks.js';
import { SourceView } from '../source/SourceView.js';
import { usePageAccent } from '../ui/Avatar.js';
import { NotFound, NoticePage } from '../ui/NoticePage.js';
import { Waiting } from '../ui/Waiting.js';
import { ChatHeader } from './ChatHeader.js';
import { Composer, type ComposerHandle } from './Composer.js';
import type { Conversation } from './conversation.js';
import { isGone } from './conversationStore.js';
import { LinkLine } from './LinkLine.js';
import { LiveRegion } from './LiveRegion.js';
import { MessageList } from './MessageList.js';
import { useChatKeys } from './useChatKeys.js';
import { useOpenCitation } from './useOpenCitation.js';

interface ChatPageProps {
  /** Id or slug. */
  creator: string;
  /** null: the conversation has not begun. */
  id: string | null;
}

export default function ChatPage({ creator: address, id }: ChatPageProps) {
  const { conversations } = useApp();
  const [, navigate] = useLocation();
  const { creator, isPending, error, retry } = useCreator(address);
  const userId = useSession()?.user.id ?? null;
  // biome-ignore lint/correctness/useExhaustiveDependencies: another person's conversations are other objects
  const conversation = useMemo(() => conversations.get(address, id), [conversations, address, id, userId]);
  const knownId = useSyncExternalStore(conversation.subscribe, () => conversation.state.id);
  useEffect(() => {
    if (id !== null || knownId === null) return;
    conversations.settle(conversation);
    navigate(`/c/${address}/${knownId}`, { replace: true });
  }, [conversations, conversation, address, id, knownId, navigate]);
  useTitle(creator?.name);
  usePageAccent(creator?.slug);
  if (creator) return <OpenConversation key={conversation.uid} conversation={conversation} creator={creator} />;
  if (isPending) return <Waiting>Opening the conversation</Waiting>;
  if (problemOf(error).code === 'not_found') return <NotFound what="This creator" />;
  return (
    <NoticePage title="Sidestage cannot be reached" text="The line may be down for a moment.">
      <button type="button" className="button" onClick={retry}>
        Try again
      </button>
    </NoticePage>
  );
}

function OpenConversation({ conversation, creator }: { conversation: Conversation; creator: CreatorView }) {
  const state = useSyncExternalStore(conversation.subscribe, () => conversation.state);
  const composer = useRef<ComposerHandle>(null);
  const [sent, setSent] = useState(0);
  const citations = useOpenCitation(state.turns);
  const gone = isGone(state);
  useEffect(() => conversation.open(), [conversation]);
  useChatKeys({ conversation, composer, openByNumber: citations.openByNumber, closeSource: citations.close });
  const send = (text: string) => {
    conversation.send(text);
    setSent((count) => count + 1);
  };
  return (
    <div className="chat">
      <main className="chat-main" id="main">
        <ChatHeader conversation={conversation} creator={creator} conversationId={gone ? null : state.id} />
        <LinkLine state={state} />
        <MessageList
          conversation={conversation}
          state={state}
          creator={creator}
          sent={sent}
          onAsk={send}
          openCitation={citations}
        />
        {!gone && <Composer ref={composer} conversation={conversation} state={state} creator={creator} onSend={send} />}
        <LiveRegion turns={state.turns} creatorName={creator.name} />
      </main>
      {citations.current && (
        <SourceView
          citation={citations.current}
          citations={citations.all}
          onStep={citations.step}
          onClose={citations.close}
        />
      )}
    </div>
  );
}
