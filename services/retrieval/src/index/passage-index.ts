import type { CreatorRef } from '@sidestage/store';

/** What is asked of an index. */
export interface IndexQuery extends CreatorRef {
  /** Of the creator: an index that keeps a copy takes a fresh one when it has grown. */
  knowledge_version: number;
  /** Of the question, of length 1; null when it could not be had: then words alone decide. */
  vector: Float32Array | null;
  question: string;
  /** The question's stems, as PostgreSQL's full text makes them of the creator's language. */
  lexemes: readonly string[];
  /** 1 to 50 */
  limit: number;
  /** The source the fan is watching. */
  watching?: string | undefined;
}

export interface IndexHit {
  passage_id: string;
  source_id: string;
  /** 0 to 1, comparable within one answer. */
  score: number;
  /** Cosine of question and passage; null when the vectors could not be used. */
  similarity: number | null;
}

export interface IndexAnswer {
  /** Best first, at most one source taking all places where others are near as good. */
  hits: IndexHit[];
  /** Ready sources that were not looked through: the index is being brought up to date. */
  missing: number;
}

/** The passages of a source as an index takes them in. */
export interface IndexedSource extends CreatorRef {
  source_id: string;
  /** Names these passages: see PassageSet. */
  set_id: string;
  passages: IndexedPassage[];
}
export interface IndexedPassage {
  id: string;
  /** Stems with how often each stands in the passage. */
  lexemes: { lexeme: string; count: number }[];
  whole: Float32Array;
  /** Of the small windows; none where the passage is one. */
  small: Float32Array[];
}

/**
 * A derived index over the passages in Postgres, for one embedding model. It may be behind (a source that is gone is still found): the
 * caller reads the hits from Postgres and drops what is not there.
 */
export interface PassageIndex {
  readonly kind: 'embedded' | 'weaviate';
  /** Rejects when the index cannot answer in time. */
  search(query: IndexQuery): Promise<IndexAnswer>;
  /** After the source's passages changed in Postgres: another set takes the place of what was there. */
  put(source: IndexedSource): Promise<void>;
  /** The source is gone. Nothing happens where it was not. */
  remove(source: { tenant_id: string; source_id: string }): Promise<void>;
  /** Forgets everything of a creator, or of all. */
  clear(creator?: CreatorRef): Promise<void>;
  close(): Promise<void>;
}
