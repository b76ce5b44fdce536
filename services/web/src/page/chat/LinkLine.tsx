import { useEffect, useState } from 'react';
import type { ConversationState } from './conversationStore.js';

/** A slim line under the header while the connection is away. A hiccup shorter than a second is not worth a word. */
export function LinkLine({ state }: { state: ConversationState }) {
  const words = linkWords(state);
  const [shown, setShown] = useState<string | null>(null);
  useEffect(() => {
    const timer = setTimeout(() => setShown(words), words === null ? 0 : 800);
    return () => clearTimeout(timer);
  }, [words]);
  return (
    <div className="link-line" role="status" data-shown={shown !== null && words !== null}>
      {shown}
    </div>
  );
}

function linkWords({ link, online }: ConversationState): string | null {
  // A gateway on this very machine answers without a network.
  if (link === 'open') return null;
  if (!online) return 'You are offline. What you write is sent once you are back.';
  if (link === 'connecting' || link === 'reconnecting')
    return 'Reconnecting. What you write is sent as soon as the line is back.';
  return null;
}
