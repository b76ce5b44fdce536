import { useEffect, useRef, useState } from 'react';
import { completeSentences } from '../model/sentences.js';
import { isOver, type Turn } from '../model/turn.js';

/** Tells screen readers the newest reply sentence by sentence, and how it ended; never what was there when the page opened. */
export function LiveRegion({ turns, creatorName }: { turns: Turn[]; creatorName: string }) {
  const turn = turns.at(-1);
  const told = useRef<{ key: string; upTo: number; over: boolean } | null>(null);
  const [words, setWords] = useState('');
  useEffect(() => {
    if (!turn) return;
    if (told.current?.key !== turn.key) told.current = { key: turn.key, upTo: 0, over: isOver(turn.phase) };
    const place = told.current;
    if (place.over) return;
    if (turn.text.length < place.upTo) place.upTo = 0;
    const over = isOver(turn.phase);
    const { spoken, upTo } = completeSentences(turn.text, place.upTo, over);
    place.upTo = upTo;
    place.over = over;
    const said = [
      place.upTo === 0 && turn.restarted ? 'Starting this answer again.' : '',
      spoken,
      endWords(turn, creatorName),
    ];
    const next = said.filter(Boolean).join(' ');
    if (next) setWords(next);
  }, [turn, creatorName]);
  return (
    <div className="visually-hidden" aria-live="polite" aria-atomic="true">
      {words}
    </div>
  );
}

function endWords(turn: Turn, creatorName: string): string {
  if (turn.phase === 'failed') return 'No answer came. You can try again.';
  if (turn.phase === 'cancelled') return 'Stopped.';
  if (turn.phase !== 'completed') return '';
  const count = turn.citations.length;
  if (!turn.grounded && !turn.blocked) return 'Not from the creator’s own material.';
  return count > 0 ? `End of the reply by ${creatorName}, ${count} source${count === 1 ? '' : 's'}.` : '';
}
