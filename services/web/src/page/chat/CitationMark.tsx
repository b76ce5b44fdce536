import * as HoverCard from '@radix-ui/react-hover-card';
import type { Citation } from '@sidestage/contracts';
import { type FocusEvent, useState } from 'react';
import { markDescription, markLabel } from '../model/citations.js';
import { moment } from '../model/quota.js';

/** A finger that comes back from the source must not find the small card over the reply: it opens for keyboards only. */
function quietUnlessByKeyboard(event: FocusEvent<HTMLElement>): void {
  if (!event.currentTarget.matches(':focus-visible')) event.preventDefault();
}

interface CitationMarkProps {
  citation: Citation;
  isOpen: boolean;
  onOpen: (index: number) => void;
}

/** The receipt behind a sentence: its second, the quote on hover or focus, the source on a press. */
export function CitationMark({ citation, isOpen, onOpen }: CitationMarkProps) {
  const [hovered, setHovered] = useState(false);
  return (
    <HoverCard.Root openDelay={180} closeDelay={80} open={hovered && !isOpen} onOpenChange={setHovered}>
      <HoverCard.Trigger asChild onFocus={quietUnlessByKeyboard}>
        <button
          type="button"
          className="mark"
          aria-label={markDescription(citation)}
          aria-pressed={isOpen}
          onClick={() => {
            setHovered(false);
            onOpen(citation.index);
          }}
        >
          {markLabel(citation)}
        </button>
      </HoverCard.Trigger>
      <HoverCard.Portal>
        <HoverCard.Content className="hover-card" side="top" sideOffset={8} collisionPadding={12}>
          <blockquote dir="auto">{citation.quote}</blockquote>
          <p className="hover-card-source">
            {citation.title}
            {citation.start_seconds !== null && <span className="tabular">{moment(citation.start_seconds)}</span>}
          </p>
        </HoverCard.Content>
      </HoverCard.Portal>
    </HoverCard.Root>
  );
}
