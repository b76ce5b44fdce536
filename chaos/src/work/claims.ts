import { closeSync, openSync, readSync } from 'node:fs';
import { z } from 'zod';

/** A worker began a turn. */
export interface Claim {
  turnId: string;
  epoch: number;
  /** Of the worker. */
  pid: number;
  /** ms since the epoch */
  at: number;
}

const line = z.object({
  time: z.string(),
  pid: z.number(),
  msg: z.string(),
  turn_id: z.string().optional(),
  epoch: z.number().optional(),
});

/** A turn that was cut off at `since` (ms since the epoch) was begun again `ms` later. */
export interface Reclaim {
  since: number;
  ms: number;
}

/** Reads what was added to a file since the last time, whole lines only. */
function makeTail(file: string): () => string[] {
  let offset = 0;
  let rest = '';
  const buffer = Buffer.alloc(256 * 1024);
  return () => {
    let text = rest;
    const handle = openSync(file, 'r');
    try {
      for (let read = readSync(handle, buffer, 0, buffer.length, offset); read > 0; ) {
        offset += read;
        text += buffer.toString('utf8', 0, read);
        read = readSync(handle, buffer, 0, buffer.length, offset);
      }
    } finally {
      closeSync(handle);
    }
    const lines = text.split('\n');
    rest = lines.pop() ?? '';
    return lines;
  };
}

/** Who works on what, from the workers' own logs. */
export function makeClaims(logFiles: readonly string[]) {
  const tails = logFiles.map(makeTail);
  /** When each worker began its first turn. */
  const firstAt = new Map<number, number>();
  /** Claims that have not been seen to end, by turn. */
  const open = new Map<string, Claim>();
  const awaited = new Map<string, { epoch: number; since: number }>();
  const reclaims: Reclaim[] = [];

  function take(text: string): void {
    if (!text.includes('"turn claimed"') && !text.includes('"turn ended"') && !text.includes('"run stopped"')) return;
    const { time, pid, msg, turn_id: turnId, epoch = 0 } = line.parse(JSON.parse(text));
    if (turnId === undefined) return;
    const at = Date.parse(time);
    if (msg === 'turn claimed') {
      open.set(turnId, { turnId, epoch, pid, at });
      if (!firstAt.has(pid)) firstAt.set(pid, at);
      const waits = awaited.get(turnId);
      if (waits && epoch > waits.epoch) {
        reclaims.push({ since: waits.since, ms: at - waits.since });
        awaited.delete(turnId);
      }
      return;
    }
    // Cancelled, or ended by the sweeper: nobody will claim it again.
    if (msg === 'turn ended') awaited.delete(turnId);
    if (open.get(turnId)?.pid === pid || msg === 'turn ended') open.delete(turnId);
  }

  return {
    read(): void {
      for (const tail of tails) for (const text of tail()) take(text);
    },
    /** Milliseconds since a worker began its first turn; 0 for one that has begun none. */
    workedMs: (pid: number): number => Date.now() - (firstAt.get(pid) ?? Date.now()),
    /** What a worker has begun and not ended. */
    heldBy: (pid: number): Claim[] => [...open.values()].filter((claim) => claim.pid === pid),
    /** These were cut off at `since`: the time until another claim of them is counted. */
    cutOff(claims: readonly Claim[], since: number): void {
      for (const { turnId, epoch } of claims) {
        open.delete(turnId);
        awaited.set(turnId, { epoch, since });
      }
    },
    /** From the end of a worker to the next claim of each turn it held. */
    reclaims: (): readonly Reclaim[] => reclaims,
    /** Cut off and not claimed again yet. */
    awaited: (): string[] => [...awaited.keys()],
  };
}
export type Claims = ReturnType<typeof makeClaims>;
