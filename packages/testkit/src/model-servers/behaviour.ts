import { z } from 'zod';

const ms = z.number().int().min(0).max(600_000);
const count = z.number().int().min(0).max(1_000_000);

/**
 * What a model server does with a request, field by field; an empty object is a normal reply. The same words mean the same on both servers.
 * "Words" are a word with the white space after it, which is what one chunk carries.
 */
export const behaviourSchema = z.strictObject({
  /** The reply's text; default one made from the prompt with [n] marks (see default-reply.ts). */
  reply: z.string().optional(),
  /** Milliseconds before the answer's headers. */
  delayHeadersMs: ms.optional(),
  /** Milliseconds before the first word. */
  firstTokenMs: ms.optional(),
  /** Milliseconds between words: a drip when long. */
  tokenDelayMs: ms.optional(),
  /** Words a chunk. Default 1. */
  wordsPerChunk: z.number().int().min(1).max(10_000).optional(),
  /** After this many words nothing more is sent and the connection stays open; 0 stalls before the first. */
  stallAfterWords: count.optional(),
  /** Never answers at all: no headers, connection open. */
  hang: z.boolean().optional(),
  /** The body ends at this byte: the connection is destroyed, or with `clean` closed as if all had been sent. */
  cut: z.strictObject({ atByte: count, clean: z.boolean().optional() }).optional(),
  /** An HTTP error instead of a reply. */
  status: z.number().int().min(400).max(599).optional(),
  /** With `status`: how long to wait, as each API says it (RetryInfo, Retry-After). */
  retryAfterSeconds: z.number().min(0).optional(),
  /** With `status`: the API's own name of the error (Gemini a `reason`, OpenAI a `code`). */
  errorCode: z.string().optional(),
  /** A safety block of the prompt, or in the stream after `blockAfterWords` words. */
  block: z.enum(['prompt', 'stream']).optional(),
  blockAfterWords: count.optional(),
  /** How the stream ends. `missing`: as usual, but no finish reason ever comes. */
  finish: z.enum(['stop', 'length', 'missing']).optional(),
  /** After this many words a chunk that is no JSON. */
  malformedAfterWords: count.optional(),
  /** Left out: the token counts. */
  omitUsage: z.boolean().optional(),
});
export type ModelBehaviour = z.infer<typeof behaviourSchema>;

/** The body of `POST /control/behaviour`: `default` from now on, `next` for the next requests, one each. */
export const controlSchema = z.strictObject({
  default: behaviourSchema.optional(),
  next: z.array(behaviourSchema).optional(),
});

/** A request as it came in. */
export interface RecordedRequest {
  path: string;
  headers: Record<string, string>;
  body: unknown;
  /** The client went away before the answer was whole. */
  abandoned: boolean;
}

export interface ModelServer {
  /** What the provider's base address is set to. */
  readonly url: string;
  readonly port: number;
  /** Requests of models and embeddings, oldest first; control requests are not among them. */
  readonly requests: RecordedRequest[];
  /** Streams being sent now. */
  readonly openStreams: number;
  /** What requests get from now on; `{}` is a normal reply. */
  behave(behaviour: ModelBehaviour): void;
  /** What the next chat requests get, one each, before the default again. */
  next(...behaviours: ModelBehaviour[]): void;
  /** The replies being sent now go on without a pause between their words. */
  hurry(): void;
  close(): Promise<void>;
}
