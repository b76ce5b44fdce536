import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { RetrievedPassage } from '@sidestage/contracts';

/** `answer`: what else its answers say. */
export interface RetrievalBehaviour {
  status?: number;
  hang?: boolean;
  answer?: { index?: 'full_text'; complete?: false; watching?: { source_id: string; title: string } };
}

export interface FakeRetrieval {
  readonly url: string;
  /** Bodies and headers of the searches, oldest first. */
  readonly searches: { body: unknown; headers: NodeJS.Dict<string | string[]> }[];
  behave(how: RetrievalBehaviour): void;
  close(): Promise<void>;
}

/** Two passages: one of a video with seconds for each segment, one of an article. */
export const passages: RetrievedPassage[] = [
  {
    passage_id: 'p1',
    source_id: 'video-1',
    title: 'Sleep and memory',
    url: 'https://www.youtube.com/watch?v=abc&t=10s',
    source_url: 'https://www.youtube.com/watch?v=abc',
    kind: 'video',
    text: 'Sleep is when memories settle. Your hippocampus replays the day while you rest. Naps help too.',
    start_seconds: 10,
    end_seconds: 40,
    score: 0.9,
    similarity: 0.7,
    segments: [
      { offset: 0, start_seconds: 10, end_seconds: 18, text: 'Sleep is when memories settle.' },
      { offset: 31, start_seconds: 18, end_seconds: 30, text: 'Your hippocampus replays the day while you rest.' },
      { offset: 80, start_seconds: 30, end_seconds: 40, text: 'Naps help too.' },
    ],
  },
  {
    passage_id: 'p2',
    source_id: 'article-1',
    title: 'Notes on rest',
    url: 'https://example.com/rest',
    source_url: 'https://example.com/rest',
    kind: 'article',
    text: 'Rest is part of training. A week without rest is a week half wasted.',
    start_seconds: null,
    end_seconds: null,
    score: 0.5,
    similarity: 0.5,
    segments: [],
  },
];

/** An HTTP server with retrieval's one internal route. */
export async function startFakeRetrieval(): Promise<FakeRetrieval> {
  const searches: FakeRetrieval['searches'] = [];
  let how: RetrievalBehaviour = {};
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(Buffer.from(part));
    if (request.url === '/internal/search') {
      searches.push({ body: JSON.parse(Buffer.concat(parts).toString()), headers: request.headers });
    }
    if (how.hang) return;
    response.writeHead(how.status ?? 200, { 'content-type': 'application/json' });
    response.end(
      JSON.stringify(how.status ? {} : { passages, sources_searched: 48, index: 'embedded', ...how.answer }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    searches,
    behave: (next) => {
      how = next;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
