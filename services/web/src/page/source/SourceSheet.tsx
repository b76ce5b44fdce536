import * as Dialog from '@radix-ui/react-dialog';
import { type PointerEvent, type ReactNode, useRef, useState } from 'react';

const dragAwayPx = 120;

/** A sheet over the lower two thirds; its handle drags it away. */
export function SourceSheet({
  title,
  onClose,
  children,
}: {
  title: string;
  onClose: () => unknown;
  children: ReactNode;
}) {
  const [draggedPx, setDraggedPx] = useState(0);
  const from = useRef<number | null>(null);
  const onDown = (event: PointerEvent) => {
    from.current = event.clientY;
    event.currentTarget.setPointerCapture(event.pointerId);
  };
  const onMove = (event: PointerEvent) => {
    if (from.current !== null) setDraggedPx(Math.max(0, event.clientY - from.current));
  };
  const onUp = () => {
    from.current = null;
    if (draggedPx > dragAwayPx) onClose();
    else setDraggedPx(0);
  };
  return (
    <Dialog.Root open onOpenChange={(open) => !open && onClose()}>
      <Dialog.Portal>
        <Dialog.Overlay className="overlay overlay-sheet" />
        <Dialog.Content
          className="source-sheet"
          aria-describedby={undefined}
          style={draggedPx > 0 ? { transform: `translateY(${draggedPx}px)`, transition: 'none' } : undefined}
        >
          <Dialog.Title className="visually-hidden">Source: {title}</Dialog.Title>
          <div
            className="sheet-handle"
            onPointerDown={onDown}
            onPointerMove={onMove}
            onPointerUp={onUp}
            onPointerCancel={onUp}
            aria-hidden="true"
          />
          {children}
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
