import type { Segment } from '@sidestage/contracts';
import { useEffect, useMemo, useRef } from 'react';
import { moment } from '../model/quota.js';
import { layTranscript, type Spot } from '../model/transcript.js';

interface TranscriptViewProps {
  segments: Segment[];
  spot: Spot;
}

/** A transcript as paragraphs, scrolled to the quoted words, which are lit. */
export function TranscriptView({ segments, spot }: TranscriptViewProps) {
  const { startSeconds, endSeconds, quote } = spot;
  const paragraphs = useMemo(
    () => layTranscript(segments, { startSeconds, endSeconds, quote }),
    [segments, startSeconds, endSeconds, quote],
  );
  const frame = useRef<HTMLDivElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: scrolls again for another spot, that is for other paragraphs
  useEffect(() => {
    frame.current?.querySelector('mark')?.scrollIntoView({ block: 'center' });
  }, [paragraphs]);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region has to be reachable by keyboard
    <section className="transcript" ref={frame} tabIndex={0} aria-label="Transcript">
      {paragraphs.map((paragraph, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a transcript does not change its order
        <div className="paragraph" data-lit={paragraph.lit} key={at}>
          {paragraph.startSeconds !== null && (
            <span className="paragraph-time tabular">{moment(paragraph.startSeconds)}</span>
          )}
          <p>
            {paragraph.speaker && <strong className="speaker">{paragraph.speaker} </strong>}
            {paragraph.pieces.map((piece, order) =>
              // biome-ignore lint/suspicious/noArrayIndexKey: as above
              piece.lit ? <mark key={order}>{piece.text}</mark> : piece.text,
            )}
          </p>
        </div>
      ))}
    </section>
  );
}
