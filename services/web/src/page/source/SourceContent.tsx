import type { Citation } from '@sidestage/contracts';
import { ChevronLeft, ChevronRight, ExternalLink, X } from 'lucide-react';
import { useSource, useTranscript } from '../hooks.js';
import { moment } from '../model/quota.js';
import { citationAddress, dayOf, kindWords, wordsName } from '../model/sources.js';
import { Waiting } from '../ui/Waiting.js';
import { Player } from './Player.js';
import { TranscriptView } from './TranscriptView.js';

export interface SourceViewProps {
  citation: Citation;
  /** All of the reply, in its order. */
  citations: Citation[];
  onStep: (by: 1 | -1) => void;
  onClose: () => unknown;
}

/** Where a sentence of the reply comes from: the recording at its second, and the words around it. */
export default function SourceContent({ citation, citations, onStep, onClose }: SourceViewProps) {
  const source = useSource(citation.source_id);
  const transcript = useTranscript(citation.source_id);
  const at = citations.findIndex((other) => other.index === citation.index);
  const kind = source.data?.kind;
  const day = dayOf(source.data?.published_at);
  return (
    <div className="source">
      <header className="source-bar">
        <div className="source-steps">
          <button
            type="button"
            className="icon-button"
            aria-label="Citation before"
            aria-disabled={at <= 0}
            onClick={() => onStep(-1)}
          >
            <ChevronLeft aria-hidden="true" />
          </button>
          <span className="tabular" aria-live="polite">
            {at + 1} of {citations.length}
          </span>
          <button
            type="button"
            className="icon-button"
            aria-label="Next citation"
            aria-disabled={at >= citations.length - 1}
            onClick={() => onStep(1)}
          >
            <ChevronRight aria-hidden="true" />
          </button>
        </div>
        <button type="button" className="icon-button" aria-label="Close the source" onClick={onClose}>
          <X aria-hidden="true" />
        </button>
      </header>
      <div className="source-head">
        <h2 dir="auto">{citation.title}</h2>
        <p className="source-facts">
          {citation.start_seconds !== null && <span className="source-moment">▶ {moment(citation.start_seconds)}</span>}
          {kind && citation.start_seconds === null && <span>{kindWords[kind]}</span>}
          {day && <time dateTime={source.data?.published_at ?? undefined}>{day}</time>}
          <a href={citationAddress(citation, location.origin)} target="_blank" rel="noopener noreferrer">
            Open at the source <ExternalLink aria-hidden="true" />
          </a>
        </p>
      </div>
      <Player address={source.data?.url ?? citation.url} startSeconds={citation.start_seconds} title={citation.title} />
      {transcript.data ? (
        <TranscriptView
          segments={transcript.data.segments}
          title={citation.title}
          label={wordsName(kind) === 'text' ? 'Text' : 'Transcript'}
          headings="h3"
          spot={{
            startSeconds: citation.start_seconds,
            endSeconds: citation.end_seconds,
            quote: citation.quote,
          }}
        />
      ) : (
        <div className="source-quote">
          <blockquote>
            <mark dir="auto">{citation.quote}</mark>
          </blockquote>
          {transcript.isPending ? (
            <Waiting>Fetching the words around it</Waiting>
          ) : (
            <p className="aside">The rest of this source cannot be shown at the moment.</p>
          )}
        </div>
      )}
    </div>
  );
}
