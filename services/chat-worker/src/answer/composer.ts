import { type Citation, citationUrl, type RetrievedPassage } from '@sidestage/contracts';
import type { ChatModel, ModelFinishReason } from '@sidestage/models';
import type { ReplyListener } from '../model/reply-ladder.js';
import { quoteSeconds } from './citation-seconds.js';
import type { ReplyStream } from './reply-stream.js';

const blockedText =
  'I’d rather not answer that one. Ask me something else, and I’ll gladly look through what I have made.';
const emptyText = 'That got longer than I can answer in one go. Could you ask for one part of it?';

export interface Composed {
  text: string;
  citations: Citation[];
  grounded: boolean;
}

export interface ComposerOptions {
  stream: ReplyStream;
  passages: readonly RetrievedPassage[];
  /** Ready sources that were looked through; null when retrieval could not be asked. */
  sources: number | null;
  publicWebUrl: string;
  trace: ReplyListener['trace'];
  /** Number of the first try. */
  attempt: number;
  /** Milliseconds since the turn was accepted. */
  sinceAccepted: () => number;
}

/** Puts a reply together from a model's pieces and says each to the reply stream. */
export class Composer implements ReplyListener {
  #text = '';
  #citations: Citation[] = [];
  #attempt: number;
  #tries = 0;
  #model: ChatModel | null = null;
  /** Milliseconds from acceptance to the first text of the try that counts; null while there is none. */
  firstTextMs: number | null = null;

  constructor(private readonly options: ComposerOptions) {
    this.#attempt = options.attempt;
  }

  get trace(): ReplyListener['trace'] {
    return this.options.trace;
  }

  async begin(model: ChatModel): Promise<void> {
    this.#model = model;
    if (this.#tries > 0) this.#attempt += 1;
    this.#tries += 1;
    this.#void();
    this.#sayStarted();
    await this.options.stream.confirm();
  }

  piece(piece: { type: 'text'; text: string } | { type: 'citation'; passageIndex: number; quote: string }): void {
    if (piece.type === 'text') this.#say(piece.text);
    else this.#cite(piece.passageIndex, piece.quote);
  }

  /** The reply as it is stored. A blocked reply is a polite sentence and nothing else. */
  finish(reason: ModelFinishReason): Composed {
    if (reason === 'blocked') {
      if (this.#void()) this.#sayStarted();
      this.#say(blockedText);
      return { text: this.#text, citations: [], grounded: false };
    }
    if (this.#text.trim() === '') this.#say(emptyText);
    return { text: this.#text, citations: this.#citations, grounded: this.#citations.length > 0 };
  }

  #say(said: string): void {
    // What Postgres and UTF-8 cannot hold a model does not mean.
    const text = said.replaceAll('\u0000', '').toWellFormed();
    if (text === '') return;
    this.firstTextMs ??= this.options.sinceAccepted();
    this.#text += text;
    this.options.stream.say({ type: 'delta', text });
  }

  #cite(passageIndex: number, quote: string): void {
    const passage = this.options.passages[passageIndex];
    if (!passage?.text.includes(quote)) return;
    const { start, end } = quoteSeconds(passage, quote);
    const source = { id: passage.source_id, url: passage.source_url, kind: passage.kind };
    const citation: Citation = {
      source_id: passage.source_id,
      title: passage.title,
      url: citationUrl(source, start, this.options.publicWebUrl),
      start_seconds: start,
      end_seconds: end,
      quote,
      index: this.#citations.length + 1,
      offset: this.#text.length,
    };
    this.#citations.push(citation);
    this.options.stream.say({ type: 'citation', ...citation });
  }

  /** Takes back what was said. True when there was something. */
  #void(): boolean {
    const shown = this.#text !== '';
    if (shown) this.options.stream.say({ type: 'reset', attempt: this.#attempt });
    this.#text = '';
    this.#citations = [];
    this.firstTextMs = null;
    return shown;
  }

  #sayStarted(): void {
    const { sources, stream } = this.options;
    stream.say({
      type: 'started',
      attempt: this.#attempt,
      model: this.#model ? modelName(this.#model) : '',
      ...(sources !== null && { sources }),
    });
  }
}

/** `<provider>/<model>` */
export function modelName({ provider, model }: ChatModel): string {
  return `${provider}/${model}`;
}
