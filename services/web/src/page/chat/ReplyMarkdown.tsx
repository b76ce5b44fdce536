import type { Citation } from '@sidestage/contracts';
import { type ComponentProps, type ComponentType, createContext, memo, use, useMemo } from 'react';
import Markdown, { type Components, type Options } from 'react-markdown';
import rehypeSanitize from 'rehype-sanitize';
import remarkGfm from 'remark-gfm';
import { CitationMark } from './CitationMark.js';
import { rehypeDirection } from './rehypeDirection.js';
import { rehypeMarks } from './rehypeMarks.js';

interface ReplyMarkdownProps {
  /** With the marks' place holders in it (placeMarks). */
  text: string;
  citations: Citation[];
  openIndex: number | null;
  onOpen: (index: number) => void;
}

/** One tilde is "about": only two strike out. */
const remarkPlugins: Options['remarkPlugins'] = [[remarkGfm, { singleTilde: false }]];
const rehypePlugins: Options['rehypePlugins'] = [rehypeSanitize, rehypeMarks, rehypeDirection];

const MarksContext = createContext<Omit<ReplyMarkdownProps, 'text'> | null>(null);

function PlacedMark({ number }: { number?: string }) {
  const marks = use(MarksContext);
  const citation = marks?.citations.find((known) => known.index === Number(number));
  if (!marks || !citation) return null;
  return <CitationMark citation={citation} isOpen={marks.openIndex === citation.index} onOpen={marks.onOpen} />;
}

/* What is wider than the page scrolls in itself, and so has to be reachable by keyboard. */
function WideTable({ children, dir }: ComponentProps<'table'>) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: as above
    <section className="wide" tabIndex={0} aria-label="Table">
      <table dir={dir}>{children}</table>
    </section>
  );
}
function WideCode({ children }: ComponentProps<'pre'>) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: as above
    <section className="wide wide-code" tabIndex={0} aria-label="Code">
      <pre dir="ltr">{children}</pre>
    </section>
  );
}

const components = {
  a: ({ href, children }) => (
    <a href={href} target="_blank" rel="noopener noreferrer nofollow">
      {children}
    </a>
  ),
  // A picture in a reply would tell a stranger's server who reads it.
  img: ({ alt }) => <span>{alt}</span>,
  // Under the page's h1 and the turn's h2.
  h1: 'h3',
  h2: 'h3',
  h5: 'h4',
  h6: 'h4',
  input: ({ checked }) => <span className="task-mark">{checked ? '☑' : '☐'}</span>,
  table: WideTable,
  pre: WideCode,
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
    <Markdown remarkPlugins={remarkPlugins} rehypePlugins={rehypePlugins} components={components}>
      {text}
    </Markdown>
  );
});
