import { expect, test } from '@jest/globals';
import type { ReplyEventBody, RetrievedPassage } from '@sidestage/contracts';
import { Composer } from './composer.js';

const quote = 'Flour drinks water.';

function cite(source: Pick<RetrievedPassage, 'kind' | 'source_url' | 'start_seconds'>): string | undefined {
  const said: ReplyEventBody[] = [];
  const passage: RetrievedPassage = {
    ...source,
    passage_id: 'p1',
    source_id: 's1',
    title: 'On bread',
    url: '',
    text: quote,
    end_seconds: source.start_seconds,
    score: 1,
    similarity: null,
    segments: [],
  };
  const composer = new Composer({
    stream: {
      say: (event) => said.push(event),
      confirm: async () => undefined,
      end: async () => true,
      close: () => undefined,
    },
    passages: [passage],
    sources: 1,
    publicWebUrl: 'http://localhost:3000',
    trace: { turn_id: 't1', request_id: null },
    attempt: 1,
    sinceAccepted: () => 0,
  });
  composer.piece({ type: 'citation', passageIndex: 0, quote });
  const { citations } = composer.finish('stop');
  expect(said.find(({ type }) => type === 'citation')).toMatchObject({ url: citations[0]?.url });
  return citations[0]?.url;
}

test.each([
  ['a video opens at the second', 'video', 'https://youtu.be/abc', 61.5, 'https://youtu.be/abc?t=61s'],
  ['a podcast too', 'podcast', 'https://example.com/e.mp3', 61.5, 'https://example.com/e.mp3#t=61'],
  ['an article with seconds opens as it is', 'article', 'https://example.com/a', 61.5, 'https://example.com/a'],
  ['without an address, our own page opens', 'file', null, 61.5, 'http://localhost:3000/watch/s1?t=61'],
] as const)('a citation of %s', (_, kind, source_url, start_seconds, url) => {
  expect(cite({ kind, source_url, start_seconds })).toBe(url);
});
