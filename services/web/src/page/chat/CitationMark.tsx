import * as HoverCard from '@radix-ui/react-hover-card';
import type { Citation } from '@sidestage/contracts';
import { type ComponentProps, type FocusEvent, useState } from 'react';
import { useMedia } from '../hooks.js';
import { markDescription, markLabel } from '../model/citations.js';
import { moment } from '../model/quota.js';

/** Focus that comes back from the source must not put the small card over the reply, unless it came by keyboard. */
function quietUnlessByKeyboard(event: FocusEvent<HTMLElement>): void {
  if (!event.currentTarget.matches(':focus-visible')) event.preventDefault();
}

interface CitationMarkProps {
  citation: Citation;
  isOpen: boolean;
  onOpen: (index: number) => void;
}

/** The receipt behind a sentence: its second, the quote on hover or focus, the source on a press. */
export function CitationMark(props: CitationMarkProps) {
  // A finger goes straight to the source.
  return useMedia('(hover: hover)') ? <HoverMark {...props} /> : <MarkButton {...props} />;
}

function HoverMark(props: CitationMarkProps) {
  const { citation, isOpen, onOpen } = props;
  const [hovered, setHovered] = useState(false);
  const open = (index: number) => {
    setHovered(false);
    onOpen(index);
  };
  return (
    <HoverCard.Root openDelay={180} closeDelay={80} open={hovered && !isOpen} onOpenChange={setHovered}>
      <HoverCard.Trigger asChild onFocus={quietUnlessByKeyboard}>
        <MarkButton {...props} onOpen={open} />
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

function MarkButton({ citation, isOpen, onOpen, ...button }: CitationMarkProps & ComponentProps<'button'>) {
  return (
    <button
      type="button"
      className="mark"
      aria-label={markDescription(citation)}
      aria-pressed={isOpen}
      {...button}
      onClick={() => onOpen(citation.index)}
    >
      {markLabel(citation)}
    </button>
  );
}
