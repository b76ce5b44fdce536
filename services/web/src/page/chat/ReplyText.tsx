import { lazy, Suspense, useDeferredValue, useMemo } from 'react';
import { placeMarks } from '../model/citations.js';
import type { Turn } from '../model/turn.js';

const ReplyMarkdown = lazy(() => import('./ReplyMarkdown.js'));

/** Fetches the Markdown renderer ahead of the first reply. */
export function prepareReplyText(): void {
  void import('./ReplyMarkdown.js');
}

interface ReplyTextProps {
  turn: Turn;
  openIndex: number | null;
  onOpen: (index: number) => void;
}

export function ReplyText({ turn, openIndex, onOpen }: ReplyTextProps) {
  const text = useDeferredValue(turn.text);
  const marked = useMemo(() => placeMarks(text, turn.citations), [text, turn.citations]);
  return (
    <div className="prose">
      <Suspense fallback={<p className="prose-plain">{text}</p>}>
        <ReplyMarkdown text={marked} citations={turn.citations} openIndex={openIndex} onOpen={onOpen} />
      </Suspense>
    </div>
  );
}
