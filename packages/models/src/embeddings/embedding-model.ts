/** Turns text into vectors of length 1, so that a dot product is the cosine. Vectors of two names or versions never mix. */
export interface EmbeddingModel {
  /** For example `minilm-l6-v2-int8`; with `version` it names an index. */
  readonly name: string;
  readonly version: string;
  readonly dimensions: number;
  /** Goes ahead of queued passages. Throws ModelError. */
  embedQuery(text: string, options?: EmbedOptions): Promise<Float32Array>;
  /** One vector a text, in order. Throws ModelError, and then nothing is returned. */
  embedPassages(texts: readonly string[], options?: EmbedPassagesOptions): Promise<Float32Array[]>;
  /** Ends its threads; what waits is rejected with kind `aborted`. */
  close(): Promise<void>;
}

export interface EmbedOptions {
  signal?: AbortSignal;
}

export interface EmbedPassagesOptions extends EmbedOptions {
  /** Called as passages are done. */
  onProgress?: (done: number, total: number) => void;
}
