import { videoKey } from '@sidestage/contracts';
import {
  type HistoryLine,
  isSmallTalk,
  type ModelRequest,
  type ModelUsage,
  makeRetrievalQuery,
} from '@sidestage/models';
import { type Metrics, withRetry } from '@sidestage/runtime';
import type { ClaimedTurn, TurnRunRepository } from '@sidestage/store';
import type { ReplyLadder } from '../model/reply-ladder.js';
import type { ContextFinder } from '../retrieval/context-finder.js';
import { type Composed, Composer, modelName } from './composer.js';
import type { ReplyStream } from './reply-stream.js';

/** Exchanges of the conversation a model sees, and the most of their text. */
const historyExchanges = 6;
const historyCharacters = 16_000;
const passagesAsked = 6;
/** The longest query retrieval takes. */
const queryCharacters = 8_000;

export type Answer =
  | {
      kind: 'replied';
      reply: Composed;
      finish_reason: 'stop' | 'length' | 'blocked';
      model: string;
      usage: ModelUsage;
      firstTextMs: number | null;
    }
  | { kind: 'wait'; waitMs: number }
  | { kind: 'failed'; error: unknown };

export interface AnswererOptions {
  repository: Pick<TurnRunRepository, 'history'>;
  findContext: ContextFinder;
  ladder: ReplyLadder;
  publicWebUrl: string;
  metrics: Metrics;
}

/** Answers one claimed turn: the conversation so far, the creator's passages, the models. Rejects with the abort's reason, or Postgres's error. */
export function makeAnswerer({ repository, findContext, ladder, publicWebUrl, metrics }: AnswererOptions) {
  return async function answer(
    turn: ClaimedTurn,
    stream: ReplyStream,
    sinceAccepted: () => number,
    signal: AbortSignal,
  ): Promise<Answer> {
    // A first message has no past to read.
    const exchanges =
      turn.ordinal === 1 ? [] : await withRetry(() => repository.history(turn, historyExchanges), { signal });
    const history = historyLines(exchanges);
    const watched = watchedBefore(exchanges, turn.video_url);
    const smallTalk = isSmallTalk(turn.message, turn.creator_name);
    // What a follow-up is about was said since the fan is at this video.
    const subject = historyLines(exchanges.slice(watched.since));
    const found = smallTalk
      ? null
      : await findContext(
          {
            tenant_id: turn.tenant_id,
            creator_id: turn.creator_id,
            knowledge_version: turn.knowledge_version,
            query: makeRetrievalQuery(subject, turn.message).slice(0, queryCharacters).toWellFormed(),
            limit: passagesAsked,
            ...(turn.video_url !== null && { video_url: turn.video_url }),
          },
          { requestId: turn.request_id, traceparent: turn.traceparent },
          signal,
        );
    signal.throwIfAborted();
    const passages = found?.passages ?? [];
    const sources = found?.sources ?? null;
    const composer = new Composer({
      stream,
      passages,
      sources,
      publicWebUrl,
      attempt: turn.epoch,
      sinceAccepted,
      trace: { turn_id: turn.id, request_id: turn.request_id },
    });
    const result = await ladder.reply(
      {
        system: turn.creator_persona,
        history,
        message: turn.message,
        passages,
        ...(smallTalk ? { smallTalk } : !found && { materialUnavailable: true }),
        creatorName: turn.creator_name,
        language: turn.creator_language,
        ...(turn.video_url !== null && { video: videoOf(turn.video_url, found?.watching ?? null, watched.changed) }),
      },
      composer,
      signal,
    );
    if (result.kind !== 'replied') return result;
    const { provider, model } = result.model;
    metrics.modelTokens.inc({ provider, model, direction: 'input' }, result.usage.input_tokens);
    metrics.modelTokens.inc({ provider, model, direction: 'output' }, result.usage.output_tokens);
    return {
      kind: 'replied',
      reply: composer.finish(result.finish_reason),
      finish_reason: result.finish_reason,
      model: modelName(result.model),
      usage: result.usage,
      firstTextMs: composer.firstTextMs,
    };
  };
}
export type Answerer = ReturnType<typeof makeAnswerer>;

/** Whether the fan was at another video before, and from which exchange on they are at this one. */
function watchedBefore(
  exchanges: readonly { video_url: string | null }[],
  now: string | null,
): { changed: boolean; since: number } {
  if (now === null) return { changed: false, since: 0 };
  const key = videoKey(now);
  const last = exchanges.findLastIndex(({ video_url }) => video_url !== null && videoKey(video_url) !== key);
  const changed = last >= 0 && exchanges.slice(last + 1).every(({ video_url }) => video_url === null);
  return { changed, since: last + 1 };
}

function videoOf(url: string, title: string | null, changed: boolean): NonNullable<ModelRequest['video']> {
  return { url, ...(title !== null && { title }), changed };
}

/** Oldest first; the oldest exchanges are left out where all of them would be too long. */
function historyLines(exchanges: { message: string; reply_text: string }[]): HistoryLine[] {
  const lines: HistoryLine[] = [];
  let characters = 0;
  for (const { message, reply_text } of exchanges.toReversed()) {
    characters += message.length + reply_text.length;
    if (characters > historyCharacters && lines.length > 0) break;
    lines.unshift({ role: 'fan', text: message }, { role: 'creator', text: reply_text });
  }
  return lines;
}
