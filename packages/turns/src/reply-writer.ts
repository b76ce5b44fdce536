import { isTerminal, type ReplyEventBody } from '@sidestage/contracts';
import { makeId } from '@sidestage/runtime';
import type { Redis } from 'ioredis';
import { keys } from './keys.js';
import type { AppendOptions, AppendResult, ReplyWriter } from './ports.js';
import { makeAppendScript } from './reply-script.js';

/** A generation this young has lost nothing: its first event is number 1. */
const freshMs = 5_000;
/** Room for the events of one epoch. */
const epochStride = 1_000_000;

/** Milliseconds since the generation's UUIDv7 was made; 0 for an id without a time. */
function ageMs(generationId: string): number {
  const madeAt = Number.parseInt(generationId.replaceAll('-', '').slice(0, 12), 16);
  return Number.isSafeInteger(madeAt) ? Math.max(0, Date.now() - madeAt) : 0;
}

/**
 * What the numbering starts above where there is no buffer. After a wipe it must be higher than anything a client may have got before: epochs
 * are a million apart, and within one epoch the age in milliseconds grows faster than events can be made.
 */
function firstBase(generationId: string, epoch: number): number {
  return epoch * epochStride + ageMs(generationId);
}

/**
 * Writes reply events through `redis` (a request connection: fails fast). The gateway begins the buffer with `queued` (epoch 0). Who finds no
 * buffer later knows that Redis lost it: it begins a new one with `reset {recovered: false}` and what `soFar` gives.
 */
export function makeReplyWriter({ redis }: { redis: Redis }): ReplyWriter {
  const run = makeAppendScript(redis);

  async function append(
    generationId: string,
    epoch: number,
    events: ReplyEventBody[],
    { operation = makeId(), soFar }: AppendOptions = {},
  ): Promise<AppendResult> {
    const call = (batch: ReplyEventBody[], base: number | null) =>
      run({
        stateKey: keys.replyState(generationId),
        streamKey: keys.replyStream(generationId),
        channel: keys.replyChannel(generationId),
        epoch,
        operation,
        base,
        seals: batch.some((event) => isTerminal(event.type)),
        events: batch.map((event) => JSON.stringify(event)),
      });
    if (events.length === 0) throw new Error('an append needs at least one event');
    let answer = await call(events, epoch === 0 && ageMs(generationId) < freshMs ? 0 : null);
    if (answer.kind === 'no_buffer') {
      const before = soFar?.() ?? [];
      const batch: ReplyEventBody[] = [
        { type: 'reset', attempt: Math.max(1, epoch), recovered: false },
        ...before,
        ...events.filter((event) => event.type !== 'reset'),
      ];
      answer = await call(batch, firstBase(generationId, epoch));
    }
    return answer.kind === 'written' ? { accepted: true, seq: answer.seq } : { accepted: false };
  }

  return { append };
}
