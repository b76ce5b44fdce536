import type { Segment } from '@sidestage/contracts';
import { useEffect, useMemo, useRef } from 'react';
import { moment } from '../model/quota.js';
import { layTranscript, type Paragraph, type Spot } from '../model/transcript.js';

interface TranscriptViewProps {
  segments: Segment[];
  spot: Spot;
  title: string;
  /** What these words are: a transcript, or a text. */
  label: string;
  /** The level its headings have under the title. */
  headings: 'h2' | 'h3';
}

/** The words of a source as paragraphs, scrolled to the quoted ones, which are lit. */
export function TranscriptView({ segments, spot, title, label, headings: Heading }: TranscriptViewProps) {
  const { startSeconds, endSeconds, quote } = spot;
  const paragraphs = useMemo(
    () => layTranscript(segments, { startSeconds, endSeconds, quote }, title),
    [segments, startSeconds, endSeconds, quote, title],
  );
  const frame = useRef<HTMLDivElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: scrolls again for another spot, that is for other paragraphs
  useEffect(() => {
    frame.current?.querySelector('mark')?.scrollIntoView({ block: 'center' });
  }, [paragraphs]);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region has to be reachable by keyboard
    <section className="transcript" ref={frame} tabIndex={0} aria-label={label}>
      {paragraphs.map((paragraph, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a transcript does not change its order
        <div className="paragraph" data-lit={paragraph.lit} key={at}>
          {paragraph.startSeconds !== null && (
            <span className="paragraph-time tabular">{moment(paragraph.startSeconds)}</span>
          )}
          {paragraph.isHeading ? (
            <Heading dir="auto">
              <Words paragraph={paragraph} />
            </Heading>
          ) : (
            <p dir="auto">
              {paragraph.speaker && <strong className="speaker">{paragraph.speaker} </strong>}
              <Words paragraph={paragraph} />
            </p>
          )}
        </div>
      ))}
    </section>
  );
}

function Words({ paragraph }: { paragraph: Paragraph }) {
  return paragraph.pieces.map((piece, order) =>
    // biome-ignore lint/suspicious/noArrayIndexKey: a paragraph does not change its order
    piece.lit ? <mark key={order}>{piece.text}</mark> : piece.text,
  );
}
