import { createHash } from 'node:crypto';
import { keys } from '@sidestage/turns';
import type { RetrievalQuery } from './retrieval-client.js';

/** A question of what a creator knows at one moment. */
export interface ContextQuestion extends RetrievalQuery {
  /** The creator's, read before anything is searched: what is found is at least as new. */
  knowledge_version: number;
}

/**
 * Where the passages for a question are kept. Questions that differ in capitals, blanks or closing punctuation share them. The words themselves
 * are not in the key: a follow-up's query carries what the fan said before.
 */
export function contextKey({
  tenant_id,
  creator_id,
  knowledge_version,
  query,
  limit,
  video_url = '',
}: ContextQuestion): string {
  const hash = createHash('sha256')
    .update(`${limit}\n${video_url}\n${normalised(query)}`)
    .digest('base64url');
  return keys.context(tenant_id, creator_id, knowledge_version, hash);
}

function normalised(query: string): string {
  const words = query.normalize('NFKC').toLowerCase().replace(/\s+/g, ' ').trim();
  return words.replace(/[\s.?!…。？！]+$/u, '') || words;
}
