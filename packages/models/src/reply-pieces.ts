import type { ModelPiece, ModelProvider, ModelRequest, ModelUsage } from './chat-model.js';
import { makeMarkReader } from './citation-marks.js';
import type { ProviderChunk } from './deadlines.js';
import { stripInvisible } from './invisible.js';
import { ModelError } from './model-error.js';
import { isClear, makeQuoteFinder, type QuoteFinder } from './quote.js';
import { splitSentences } from './sentences.js';

const mostAddedCitations = 3;

/**
 * Turns a provider's chunks into the pieces of a reply: invisible characters out, marks into citations, white space trimmed at both ends.
 * A reply the provider calls finished but that holds no words counts as `blocked`. Throws `malformed` where no finish reason came.
 */
export async function* toReplyPieces(
  chunks: AsyncIterable<ProviderChunk>,
  provider: ModelProvider,
  request: ModelRequest,
): AsyncGenerator<ModelPiece> {
  const quotes = makeQuoteFinder(request.passages, request.message);
  const reader = makeMarkReader(quotes, request.passages.length);
  const whole = makeWholeCharacters();
  let finish: ProviderChunk['finish'] = null;
  let usage: ModelUsage | null = null;
  for await (const chunk of chunks) {
    if (finish === null) yield* reader.push(stripInvisible(whole(chunk.text), /[^\p{ASCII}]$/u.test(reader.said)));
    finish = finish ?? chunk.finish;
    usage = chunk.usage ?? usage;
  }
  if (finish === null) throw new ModelError('malformed', provider, 'the stream ended without a finish reason');
  yield* reader.end();
  if (finish !== 'blocked' && reader.citations === 0) yield* addedCitations(reader.said, quotes);
  yield {
    type: 'finish',
    finish_reason: finish === 'stop' && reader.said === '' ? 'blocked' : finish,
    usage: usage ?? estimatedUsage(request, reader.said),
  };
}

/** A model that set no marks still spoke from the passages where a sentence of its reply clearly comes from one. */
function addedCitations(said: string, quotes: QuoteFinder): ModelPiece[] {
  const added = new Map<string, ModelPiece>();
  for (const { text } of splitSentences(said)) {
    const found = quotes.anywhere(text);
    if (!found || !isClear(found)) continue;
    added.set(found.quote, { type: 'citation', passageIndex: found.passageIndex, quote: found.quote });
    if (added.size === mostAddedCitations) break;
  }
  return [...added.values()];
}

/** A stream may cut between the two halves of a character beyond U+FFFF; the first half waits for the second. */
function makeWholeCharacters(): (text: string) => string {
  let half = '';
  return (text) => {
    const joined = half + text;
    half = /[\ud800-\udbff]$/.test(joined) ? joined.slice(-1) : '';
    return half === '' ? joined : joined.slice(0, -1);
  };
}

/** About four characters a token, for providers that do not count. */
export function estimatedUsage(request: ModelRequest, reply: string): ModelUsage {
  const history = request.history.reduce((sum, line) => sum + line.text.length, 0);
  const passages = request.passages.reduce((sum, passage) => sum + passage.text.length, 0);
  const input = request.system.length + history + passages + request.message.length;
  return { input_tokens: Math.ceil(input / 4), output_tokens: Math.ceil(reply.length / 4) };
}
