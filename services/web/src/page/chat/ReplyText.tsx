import { lazy, Suspense, useDeferredValue, useMemo } from 'react';
import { placeMarks } from '../model/citations.js';
import { isOver, type Turn } from '../model/turn.js';

const ReplyMarkdown = lazy(() => import('./ReplyMarkdown.js'));

/** Fetches the Markdown renderer ahead of the first reply. */
export function prepareReplyText(): void {
  // Whoever needs it asks again.
  import('./ReplyMarkdown.js').catch(() => undefined);
}

interface ReplyTextProps {
  turn: Turn;
  openIndex: number | null;
  onOpen: (index: number) => void;
}

export function ReplyText({ turn, openIndex, onOpen }: ReplyTextProps) {
  const deferred = useDeferredValue(turn.text);
  // Words may lag behind a stream that comes faster than they are set, never behind the end that is shown beside them.
  const text = isOver(turn.phase) ? turn.text : deferred;
  const marked = useMemo(() => placeMarks(text, turn.citations), [text, turn.citations]);
  return (
    <div className="prose">
      <Suspense
        fallback={
          <p className="prose-plain" dir="auto">
            {text}
          </p>
        }
      >
        <ReplyMarkdown text={marked} citations={turn.citations} openIndex={openIndex} onOpen={onOpen} />
      </Suspense>
    </div>
  );
}
