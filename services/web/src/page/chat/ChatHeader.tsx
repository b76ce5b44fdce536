import type { CreatorView } from '@sidestage/contracts';
import { useQueryClient } from '@tanstack/react-query';
import { SquarePen, Trash2 } from 'lucide-react';
import { lazy, Suspense, useState } from 'react';
import { Link, useLocation } from 'wouter';
import { useApp } from '../appContext.js';
import { MenuButton } from '../shell/MenuButton.js';
import { Avatar } from '../ui/Avatar.js';

import type { Conversation } from './conversation.js';

const Confirm = lazy(() => import('../ui/Confirm.js'));

interface ChatHeaderProps {
  conversation: Conversation;
  creator: CreatorView;
  conversationId: string | null;
}

export function ChatHeader({ creator, conversationId }: ChatHeaderProps) {
  const { gateway, conversations } = useApp();
  const queries = useQueryClient();
  const [, navigate] = useLocation();
  const [asking, setAsking] = useState(false);
  const remove = async () => {
    if (conversationId === null) return;
    await gateway.deleteConversation(conversationId);
    conversations.forget(conversationId);
    navigate(`/c/${creator.slug}`);
    await queries.invalidateQueries({ queryKey: ['conversations'] });
  };
  return (
    <header className="bar">
      <MenuButton />
      <Link className="bar-creator" href={`/c/${creator.slug}`}>
        <Avatar creator={creator} size="small" />
        <h1>{creator.name}</h1>
      </Link>
      {conversationId !== null && (
        <>
          <button
            type="button"
            className="icon-button"
            aria-label="Delete this conversation"
            onClick={() => setAsking(true)}
          >
            <Trash2 aria-hidden="true" />
          </button>
          <Link className="icon-button" href={`/c/${creator.slug}`} aria-label="New conversation">
            <SquarePen aria-hidden="true" />
          </Link>
          {asking && (
            <Suspense>
              <Confirm
                open={asking}
                onOpenChange={setAsking}
                title="Delete this conversation?"
                text={`What you and ${creator.name} said here is erased on every device. This cannot be undone.`}
                action="Delete"
                onConfirm={remove}
              />
            </Suspense>
          )}
        </>
      )}
    </header>
  );
}
