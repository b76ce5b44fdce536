import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ModelBehaviour } from './behaviour.js';
import { makeBodyWriter } from './body-writer.js';
import { splitWords } from './default-reply.js';

/** The events of one API, as the text of SSE events. */
export interface StreamFrames {
  /** Before the first word; may be empty. */
  opening: string;
  words: (text: string, isFirst: boolean) => string;
  blocked: string;
  malformed: string;
  /** The end of a whole reply; `missing` has everything but the finish reason. */
  ending: (finish: 'stop' | 'length' | 'missing') => string;
}

/** Who listens. `hurried` aborts when the reply shall go on without pauses. */
export interface StreamTarget {
  response: ServerResponse;
  hurried: AbortSignal;
}

/** Plays one reply as the behaviour says. */
export async function playStream(
  { response, hurried }: StreamTarget,
  reply: string,
  behaviour: ModelBehaviour,
  frames: StreamFrames,
): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  response.flushHeaders();
  const body = makeBodyWriter(response, behaviour.cut);
  const gone = goneSignal(response);
  const goneOrHurried = AbortSignal.any([gone, hurried]);
  if (frames.opening !== '' && !(await body.write(frames.opening))) return;
  if (!(await pause(behaviour.firstTokenMs, gone))) return;
  const chunks = splitWords(reply, behaviour.wordsPerChunk ?? 1);
  for (let at = 0; at <= chunks.length; at += 1) {
    const words = at * (behaviour.wordsPerChunk ?? 1);
    if (behaviour.stallAfterWords !== undefined && words >= behaviour.stallAfterWords) return;
    if (behaviour.malformedAfterWords !== undefined && words >= behaviour.malformedAfterWords) {
      await body.write(frames.malformed);
      break;
    }
    if (behaviour.block === 'stream' && words >= (behaviour.blockAfterWords ?? 3)) {
      await body.write(frames.blocked);
      return body.end();
    }
    const chunk = chunks[at];
    if (chunk === undefined) break;
    if (at > 0) await pause(behaviour.tokenDelayMs, goneOrHurried);
    if (gone.aborted) return;
    if (!(await body.write(frames.words(chunk, at === 0)))) return;
  }
  await body.write(frames.ending(behaviour.finish ?? 'stop'));
  await body.end();
}

/** Waits; false when the client has gone meanwhile. */
export async function pause(ms: number | undefined, gone: AbortSignal): Promise<boolean> {
  if (ms) await sleep(ms, undefined, { signal: gone }).catch(() => undefined);
  return !gone.aborted;
}

/** Aborts when the answer's connection closes. */
export function goneSignal(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  response.once('close', () => controller.abort());
  if (response.destroyed) controller.abort();
  return controller.signal;
}
