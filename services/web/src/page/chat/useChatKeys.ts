import { type RefObject, useEffect } from 'react';
import type { ComposerHandle } from './Composer.js';
import type { Conversation } from './conversation.js';

interface ChatKeys {
  conversation: Conversation;
  composer: RefObject<ComposerHandle | null>;
  openByNumber: (number: number) => boolean;
  /** False when none was open. */
  closeSource: () => boolean;
}

/** `/` to the composer, Esc closes the source or stops the reply, 1 to 9 open a citation. Typing and open dialogs keep their keys. */
export function useChatKeys({ conversation, composer, openByNumber, closeSource }: ChatKeys): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
      if (document.querySelector('[role="dialog"][data-state="open"], [role="alertdialog"], [role="menu"]')) return;
      const typing = event.target instanceof HTMLElement && event.target.closest('input, textarea, select') !== null;
      if (event.key === 'Escape') {
        if (closeSource()) return;
        const turn = conversation.stoppable;
        if (turn) conversation.stop(turn);
      } else if (!typing && event.key === '/') {
        event.preventDefault();
        composer.current?.focus();
      } else if (!typing && /^[1-9]$/.test(event.key) && openByNumber(Number(event.key))) event.preventDefault();
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, [conversation, composer, openByNumber, closeSource]);
}
