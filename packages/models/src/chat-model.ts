import type { Passage } from '@sidestage/contracts';

/** A passage of the creator's material as a model sees it. What retrieval hands out fits; `url` and the seconds are carried, never read. */
export type ModelPassage = Omit<Passage, 'passage_id'> & {
  id?: string;
  /** Cosine of the query and this passage, -1 to 1; null or absent when the vectors could not be used. */
  similarity?: number | null;
};

export interface HistoryLine {
  role: 'fan' | 'creator';
  text: string;
}

export interface ModelRequest {
  /** The creator's persona: how they speak. */
  system: string;
  /** The conversation so far, oldest first, without `message`. */
  history: readonly HistoryLine[];
  message: string;
  /** Best first; a citation names them by their place here, from 0. */
  passages: readonly ModelPassage[];
  /** The material could not be searched: no passages does not mean that it has no answer. */
  materialUnavailable?: boolean;
  creatorName: string;
  /** The creator's language as a BCP 47 tag. */
  language: string;
  /** Nothing is asked: the material was not looked at. */
  smallTalk?: boolean;
  /** The video the fan is watching; `title` where it is one of the creator's, `changed` where they were at another one before this message. */
  video?: { url: string; title?: string; changed: boolean };
}

export type ModelFinishReason = 'stop' | 'length' | 'blocked';

export interface ModelUsage {
  input_tokens: number;
  output_tokens: number;
}

/**
 * A piece of a reply. `text` carries no citation marks and no invisible characters; a `citation` stands after the sentence it supports and
 * its `quote` is found letter for letter in `passages[passageIndex].text`. `finish` is the last piece, once. The text before a `finish` may
 * be empty (a block, or a length limit spent on thinking): the caller says a polite sentence then.
 */
export type ModelPiece =
  | { type: 'text'; text: string }
  | { type: 'citation'; passageIndex: number; quote: string }
  | { type: 'finish'; finish_reason: ModelFinishReason; usage: ModelUsage };

export type ModelProvider = 'gemini' | 'openai' | 'builtin';

export interface ChatModel {
  readonly provider: ModelProvider;
  /** The provider's name of the model. */
  readonly model: string;
  /**
   * Streams one reply. Ends with `finish` or throws a ModelError; a stream that stops without a finish reason throws. Aborting `signal` throws
   * kind `aborted`; leaving the loop early ends the request.
   */
  stream(request: ModelRequest, signal: AbortSignal): AsyncIterable<ModelPiece>;
}
