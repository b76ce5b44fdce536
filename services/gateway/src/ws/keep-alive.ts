const pingEveryMs = 30_000;
const pongWithinMs = 10_000;

export interface Heard {
  /** When anything came from the client, ms (monotonic). */
  heardAt: number;
  /** When a ping was sent that is not answered yet; null otherwise. */
  pingedAt: number | null;
}

/** What a quiet connection needs now: a half-open one is let go 40 s after its last sign of life. */
export function keepAlive({ heardAt, pingedAt }: Heard, now: number): 'nothing' | 'ping' | 'terminate' {
  if (pingedAt !== null) return now - pingedAt > pongWithinMs ? 'terminate' : 'nothing';
  return now - heardAt >= pingEveryMs ? 'ping' : 'nothing';
}
