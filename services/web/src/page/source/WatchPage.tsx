import { problemOf } from '@sidestage/client';
import { ExternalLink, MessageCircle } from 'lucide-react';
import { Link, useSearch } from 'wouter';
import { useCreator, useSource, useTitle, useTranscript } from '../hooks.js';
import { moment } from '../model/quota.js';
import { dayOf, kindWords, quoteOf, wordsName } from '../model/sources.js';
import { MenuButton } from '../shell/MenuButton.js';
import { Avatar, usePageAccent } from '../ui/Avatar.js';
import { NotFound } from '../ui/NoticePage.js';
import { Waiting } from '../ui/Waiting.js';
import { Player } from './Player.js';
import { TranscriptView } from './TranscriptView.js';

/** `/watch/{source_id}?t=`: a source of our own, at the cited words. */
export default function WatchPage({ id }: { id: string }) {
  const seconds = secondsOf(useSearch());
  const quote = quoteOf(location.hash);
  const source = useSource(id);
  const transcript = useTranscript(id);
  const { creator } = useCreator(source.data?.creator_id ?? null);
  const title = source.data?.title ?? transcript.data?.title;
  useTitle(title);
  usePageAccent(creator?.slug);
  const failure = source.error ?? transcript.error;
  if (failure && problemOf(failure).code === 'not_found') return <NotFound what="This source" />;
  const address = source.data?.url ?? null;
  const day = dayOf(source.data?.published_at);
  const words = wordsName(source.data?.kind);
  return (
    <main className="watch" id="main">
      <header className="bar">
        <MenuButton />
        {creator && (
          <Link className="bar-creator" href={`/c/${creator.slug}`}>
            <Avatar creator={creator} size="small" />
            <span>{creator.name}</span>
          </Link>
        )}
        {creator && (
          <Link className="button button-quiet" href={`/c/${creator.slug}`}>
            <MessageCircle aria-hidden="true" />
            <span>
              Ask<span className="wide-only"> about it</span>
            </span>
          </Link>
        )}
      </header>
      <div className="watch-column">
        <div className="source-head">
          <h1 dir="auto">{title ?? 'Source'}</h1>
          <p className="source-facts">
            {seconds !== null && <span className="source-moment">▶ {moment(seconds)}</span>}
            {source.data && <span>{kindWords[source.data.kind]}</span>}
            {day && <time dateTime={source.data?.published_at ?? undefined}>{day}</time>}
            {address && (
              <a href={address} target="_blank" rel="noopener noreferrer">
                Open at the source <ExternalLink aria-hidden="true" />
              </a>
            )}
          </p>
        </div>
        {address && title && <Player address={address} startSeconds={seconds} title={title} />}
        {transcript.isPending && <Waiting>Fetching the {words}</Waiting>}
        {transcript.error && (
          <div className="notice-page" role="alert">
            <p>The {words} cannot be fetched at the moment.</p>
            <button type="button" className="button" onClick={() => void transcript.refetch()}>
              Try again
            </button>
          </div>
        )}
        {transcript.data && (
          <TranscriptView
            segments={transcript.data.segments}
            spot={{ startSeconds: seconds, endSeconds: null, quote }}
            title={title ?? ''}
            label={words === 'text' ? 'Text' : 'Transcript'}
            headings="h2"
          />
        )}
      </div>
    </main>
  );
}

/** `t=75` and `t=75s`; anything else is no second. */
function secondsOf(search: string): number | null {
  const value = new URLSearchParams(search).get('t')?.match(/^(\d+(?:\.\d+)?)s?$/)?.[1];
  return value === undefined ? null : Number(value);
}
