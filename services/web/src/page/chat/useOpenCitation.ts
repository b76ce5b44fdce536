import type { Citation } from '@sidestage/contracts';
import { useCallback, useEffect, useRef, useState } from 'react';
import type { Turn } from '../model/turn.js';

export interface OpenCitation {
  current: Citation | null;
  /** The citations of the reply it belongs to, in the reply's order. */
  all: Citation[];
  turnKey: string | null;
  open: (turnKey: string, index: number) => void;
  /** The n-th citation (from 1) of the reply whose source is open, else of the newest reply that has any. */
  openByNumber: (number: number) => boolean;
  step: (by: 1 | -1) => void;
  /** False when none was open. */
  close: () => boolean;
}

export function useOpenCitation(turns: Turn[]): OpenCitation {
  const [place, setPlace] = useState<{ turnKey: string; index: number } | null>(null);
  const opener = useRef<Element | null>(null);
  const turn = place && turns.find((other) => other.key === place.turnKey);
  const all = sortedCitations(turn ?? null);
  const at = all.findIndex((citation) => citation.index === place?.index);
  const open = useCallback((turnKey: string, index: number) => {
    // A second number pressed while a source is open leads back to where the first was.
    if (!document.activeElement?.closest('.source')) opener.current = document.activeElement;
    setPlace({ turnKey, index });
  }, []);
  // Only once the source is gone: while it is open over the page, its dialog keeps the focus.
  const isOpen = place !== null;
  useEffect(() => {
    if (isOpen) return;
    if (opener.current instanceof HTMLElement) opener.current.focus({ preventScroll: true });
    opener.current = null;
  }, [isOpen]);
  return {
    current: all[at] ?? null,
    all,
    turnKey: turn?.key ?? null,
    open,
    openByNumber: (number) => {
      const from = turn ?? turns.findLast((other) => other.citations.length > 0);
      const wanted = sortedCitations(from ?? null)[number - 1];
      if (!from || !wanted) return false;
      open(from.key, wanted.index);
      return true;
    },
    step: (by) => {
      const next = all[at + by];
      if (place && next) setPlace({ ...place, index: next.index });
    },
    close: () => {
      if (place === null) return false;
      setPlace(null);
      return true;
    },
  };
}

function sortedCitations(turn: Turn | null): Citation[] {
  return turn ? [...turn.citations].sort((a, b) => a.offset - b.offset || a.index - b.index) : [];
}
