import * as Dialog from '@radix-ui/react-dialog';
import { type PointerEvent, type ReactNode, useRef, useState } from 'react';

/** Let go this far down, or moving this fast, it is on its way out. */
const dragAwayPx = 120;
const flickPxPerMs = 0.6;
/** --quick of styles/tokens.css, and a little. */
const leaveMs = 160;

interface Drag {
  pointerId: number;
  fromY: number;
  lastY: number;
  lastMs: number;
  pxPerMs: number;
}

/** A sheet over the lower two thirds; its handle, or the bar under it, drags it away. */
export function SourceSheet({
  title,
  onClose,
  children,
}: {
  title: string;
  onClose: () => unknown;
  children: ReactNode;
}) {
  const [offset, setOffset] = useState<string | null>(null);
  const drag = useRef<Drag | null>(null);
  const onDown = (event: PointerEvent) => {
    const target = event.target as Element;
    if (!target.closest('.sheet-handle, .source-bar') || target.closest('button')) return;
    drag.current = {
      pointerId: event.pointerId,
      fromY: event.clientY,
      lastY: event.clientY,
      lastMs: event.timeStamp,
      pxPerMs: 0,
    };
    event.currentTarget.setPointerCapture(event.pointerId);
  };
  const onMove = (event: PointerEvent) => {
    const held = drag.current;
    if (held?.pointerId !== event.pointerId) return;
    const elapsedMs = event.timeStamp - held.lastMs;
    if (elapsedMs > 0) held.pxPerMs = (event.clientY - held.lastY) / elapsedMs;
    held.lastY = event.clientY;
    held.lastMs = event.timeStamp;
    setOffset(`${Math.max(0, event.clientY - held.fromY)}px`);
  };
  const onUp = (event: PointerEvent) => {
    const held = drag.current;
    if (held?.pointerId !== event.pointerId) return;
    drag.current = null;
    const flicked = held.pxPerMs > flickPxPerMs && event.type === 'pointerup';
    if (held.lastY - held.fromY > dragAwayPx || flicked) {
      setOffset('100%');
      setTimeout(onClose, leaveMs);
    } else setOffset(null);
  };
  return (
    <Dialog.Root open onOpenChange={(open) => !open && onClose()}>
      <Dialog.Portal>
        <Dialog.Overlay className="overlay overlay-sheet" />
        <Dialog.Content
          className="source-sheet"
          aria-describedby={undefined}
          style={offset === null ? undefined : { transform: `translateY(${offset})` }}
          data-dragged={offset !== null && offset !== '100%'}
          onPointerDown={onDown}
          onPointerMove={onMove}
          onPointerUp={onUp}
          onPointerCancel={onUp}
        >
          <Dialog.Title className="visually-hidden">Source: {title}</Dialog.Title>
          <div className="sheet-handle" aria-hidden="true" />
          {children}
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
