import type { CreatorView } from '@sidestage/contracts';
import { useRef } from 'react';
import { useNow } from '../hooks.js';
import { aboutHowLong, ordinal } from '../model/days.js';
import type { QueuePlace, Turn } from '../model/turn.js';

/** What is happening before there is text: received, waiting in line, searching, starting again. */
export function ReplyProgress({ turn, creator }: { turn: Turn; creator: CreatorView }) {
  if (turn.restarted && turn.phase === 'started') return <Line>Starting this answer again</Line>;
  if (turn.phase === 'accepted') return <Line>Received. It is being handed to {creator.name}</Line>;
  if (turn.phase === 'queued' && turn.queue) return <InLine place={turn.queue} sentAtMs={turn.sentAtMs} />;
  if (turn.phase === 'started' && !turn.text)
    return <Line>{searchWords(turn.sources ?? creator.sources_ready, creator)}</Line>;
  return null;
}

function searchWords(sources: number, creator: CreatorView): string {
  if (sources <= 0) return `${creator.name} is thinking about it`;
  return `Looking through ${sources} source${sources === 1 ? '' : 's'}`;
}

function Line({ children }: { children: React.ReactNode }) {
  return (
    <p className="progress">
      <span className="pulse" aria-hidden="true" />
      {children}
    </p>
  );
}

function InLine({ place, sentAtMs }: { place: QueuePlace; sentAtMs: number }) {
  const now = useNow(1000);
  const fullest = useRef(0);
  const leftMs = place.etaMs === null ? null : Math.max(0, place.toldAtMs + place.etaMs - now);
  const waitedMs = Math.max(0, now - sentAtMs);
  const share = leftMs === null ? 0 : waitedMs / Math.max(1, waitedMs + leftMs);
  // The line never runs backwards; a worse place is said in words instead.
  fullest.current = Math.max(fullest.current, Math.min(0.96, share));
  const where = place.position === null ? 'You are in line' : `You are ${ordinal(place.position)}`;
  const howLong = leftMs === null ? '' : leftMs < 1000 ? ', any moment now' : `, ${aboutHowLong(leftMs)}`;
  return (
    <div className="queue">
      <p className="progress tabular">
        {place.movedBack && 'The line has moved. '}
        {where}
        {howLong}
      </p>
      <div className="queue-line" aria-hidden="true">
        <span style={{ transform: `scaleX(${fullest.current})` }} />
      </div>
    </div>
  );
}
