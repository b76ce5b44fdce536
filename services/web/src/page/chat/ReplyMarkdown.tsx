import type { Citation } from '@sidestage/contracts';
import { type ComponentType, createContext, memo, use, useMemo } from 'react';
import Markdown, { type Components } from 'react-markdown';
import rehypeSanitize from 'rehype-sanitize';
import { CitationMark } from './CitationMark.js';
import { rehypeMarks } from './rehypeMarks.js';

interface ReplyMarkdownProps {
  /** With the marks' place holders in it (placeMarks). */
  text: string;
  citations: Citation[];
  openIndex: number | null;
  onOpen: (index: number) => void;
}

const MarksContext = createContext<Omit<ReplyMarkdownProps, 'text'> | null>(null);

function PlacedMark({ number }: { number?: string }) {
  const marks = use(MarksContext);
  const citation = marks?.citations.find((known) => known.index === Number(number));
  if (!marks || !citation) return null;
  return <CitationMark citation={citation} isOpen={marks.openIndex === citation.index} onOpen={marks.onOpen} />;
}

const components = {
  a: ({ href, children }) => (
    <a href={href} target="_blank" rel="noopener noreferrer nofollow">
      {children}
    </a>
  ),
  // A picture in a reply would tell a stranger's server who reads it.
  img: ({ alt }) => <span>{alt}</span>,
  h1: 'h3',
  h2: 'h3',
  'citation-mark': PlacedMark as ComponentType,
} as Components;

/** A reply's Markdown, sanitised, with its citation marks. Only the text decides whether it is parsed again. */
export default function ReplyMarkdown({ text, ...marks }: ReplyMarkdownProps) {
  const { citations, openIndex, onOpen } = marks;
  const value = useMemo(() => ({ citations, openIndex, onOpen }), [citations, openIndex, onOpen]);
  return (
    <MarksContext value={value}>
      <Parsed text={text} />
    </MarksContext>
  );
}

const Parsed = memo(function Parsed({ text }: { text: string }) {
  return (
    <Markdown rehypePlugins={[rehypeSanitize, rehypeMarks]} components={components}>
      {text}
    </Markdown>
  );
});
