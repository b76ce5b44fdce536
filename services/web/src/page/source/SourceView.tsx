import { lazy, type ReactNode, Suspense, useEffect, useRef } from 'react';
import { useMedia, wideQuery } from '../hooks.js';
import { Waiting } from '../ui/Waiting.js';
import type { SourceViewProps } from './SourceContent.js';
import { SourceSheet } from './SourceSheet.js';

const SourceContent = lazy(() => import('./SourceContent.js'));

/** The source of an open citation: beside the conversation where there is room, else on a sheet over it. */
export function SourceView(props: SourceViewProps) {
  const wide = useMedia(wideQuery);
  const content = (
    <Suspense fallback={<Waiting>Opening the source</Waiting>}>
      <SourceContent {...props} />
    </Suspense>
  );
  if (!wide) {
    return (
      <SourceSheet title={props.citation.title} onClose={props.onClose}>
        {content}
      </SourceSheet>
    );
  }
  return <SourcePanel>{content}</SourcePanel>;
}

function SourcePanel({ children }: { children: ReactNode }) {
  const panel = useRef<HTMLElement>(null);
  useEffect(() => panel.current?.focus({ preventScroll: true }), []);
  return (
    <aside className="source-panel" aria-label="Source" tabIndex={-1} ref={panel}>
      {children}
    </aside>
  );
}
