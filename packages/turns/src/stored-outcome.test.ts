import { expect, test } from '@jest/globals';
import type { Citation } from '@sidestage/contracts';
import type { TurnRow } from '@sidestage/store';
import { completedOf } from './stored-outcome.js';

test('a stored answer is repeated byte for byte, though Postgres forgets the order of a citation’s keys', () => {
  const citation: Citation = {
    source_id: 's',
    title: 'Soup',
    url: 'https://example.org/#t=1',
    start_seconds: 1,
    end_seconds: null,
    quote: 'leeks',
    index: 1,
    offset: 5,
  };
  const asStored: Citation = Object.fromEntries(Object.entries(citation).reverse()) as Citation;
  const row = { accepted_at: new Date(0), ended_at: new Date(5), started_at: null, first_text_at: null };
  const answer = (citations: Citation[]) =>
    JSON.stringify(completedOf({ ...row, id: 't', reply_text: 'leeks', citations } as TurnRow));
  expect(JSON.stringify(asStored)).not.toBe(JSON.stringify(citation));
  expect(answer([asStored])).toBe(answer([citation]));
});
