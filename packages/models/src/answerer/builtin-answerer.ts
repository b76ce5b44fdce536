import { setImmediate as nextTick } from 'node:timers/promises';
import type { ChatModel, ModelPiece, ModelRequest } from '../chat-model.js';
import { stripInvisible } from '../invisible.js';
import { ModelError } from '../model-error.js';
import { estimatedUsage } from '../reply-pieces.js';
import { contentStems } from '../words.js';
import { isFollowUp, subjectOf } from './follow-up.js';
import { cannotLook, noAnswer, nothingMore, openings, secondOpening, smallTalkPhrases, unclear } from './phrases.js';
import { judgeRelevance } from './relevance.js';
import { type Block, selectBlocks } from './selection.js';
import { smallTalkOf } from './small-talk.js';

/** A stretch of the reply and, after a quoted sentence, what it cites. */
interface Part {
  text: string;
  cites?: { passageIndex: number; quote: string };
}

/**
 * The answerer that needs no key and no network: it selects sentences of the best passages, says that it quotes, cites each, and says so
 * when the material has no answer. The same request gives the same reply.
 */
export function makeBuiltinAnswerer(): ChatModel {
  return {
    provider: 'builtin',
    model: 'extractive-1',
    stream: (request, signal) => streamReply(request, signal),
  };
}

async function* streamReply(request: ModelRequest, signal: AbortSignal): AsyncGenerator<ModelPiece> {
  let reply = '';
  for (const part of composeReply(request)) {
    // One turn of the event loop a sentence: a cancel gets in, and many replies at once take turns.
    await nextTick();
    if (signal.aborted) throw new ModelError('aborted', 'builtin', 'the caller cancelled the reply');
    for (const [word] of part.text.matchAll(/\s*\S+(?:\s+$)?/g)) yield { type: 'text', text: word };
    reply += part.text;
    if (part.cites) yield { type: 'citation', ...part.cites };
  }
  yield { type: 'finish', finish_reason: 'stop', usage: estimatedUsage(request, reply) };
}

function composeReply(request: ModelRequest): Part[] {
  const smallTalk = smallTalkOf(request.message, request.creatorName);
  if (smallTalk) return [{ text: smallTalkPhrases[smallTalk](stripInvisible(request.creatorName)) }];
  if (request.materialUnavailable) return [{ text: cannotLook }];
  const followsUp = isFollowUp(request.message);
  const subject = followsUp ? subjectOf(request.history) : '';
  const question = `${subject} ${request.message}`.trim();
  if (contentStems(question).length === 0) return [{ text: unclear(someTitles(request)) }];
  const relevance = judgeRelevance(question, request.passages);
  if (relevance === 'none') return [{ text: noAnswer }];
  const alreadySaid = request.history
    .filter(({ role }) => role === 'creator')
    .map(({ text }) => text)
    .join('\n');
  const blocks = selectBlocks(question, request.passages, alreadySaid, relevance === 'answers' ? 2 : 1);
  if (blocks.length === 0) return [{ text: alreadySaid === '' ? noAnswer : nothingMore }];
  const opening = subject !== '' && relevance === 'answers' ? 'more' : relevance;
  return blocks.flatMap((block, at) => [
    { text: at === 0 ? openings[opening](titleOf(request, block)) : `\n\n${laterOpening(request, blocks, at)}` },
    ...quotedParts(block),
  ]);
}

function laterOpening(request: ModelRequest, blocks: readonly Block[], at: number): string {
  const [block, before] = [blocks[at], blocks[at - 1]];
  if (!block || !before) return '';
  const sourceOf = ({ passageIndex }: Block) => request.passages[passageIndex]?.source_id;
  return secondOpening(titleOf(request, block), sourceOf(block) === sourceOf(before));
}

function titleOf(request: ModelRequest, { passageIndex }: Block): string {
  return quotedTitle(request.passages[passageIndex]?.title ?? '');
}

function someTitles(request: ModelRequest): string[] {
  return [...new Set(request.passages.map(({ title }) => quotedTitle(title)))].slice(0, 2);
}

function quotedTitle(title: string): string {
  return `“${stripInvisible(title).trim()}”`;
}

/** “First sentence. Second sentence.” with a citation after each. */
function quotedParts({ passageIndex, quotes }: Block): Part[] {
  return quotes.map((quote, at) => {
    const shown = stripInvisible(quote)
      .replace(/\s+/g, ' ')
      .replace(/\s*[,;–—-]+$/, '…');
    const open = at === 0 ? '“' : ' ';
    const close = at === quotes.length - 1 ? '”' : '';
    return { text: `${open}${capitalised(shown)}${close}`, cites: { passageIndex, quote } };
  });
}

function capitalised(text: string): string {
  return text.replace(/^\p{Ll}/u, (letter) => letter.toUpperCase());
}
