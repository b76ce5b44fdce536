import type { LiveTurn } from '../turn.js';
import { type Backoff, backoffMs } from '../wire/backoff.js';
import type { HttpClient } from '../wire/http-client.js';
import { pause } from '../wire/pause.js';
import { toSidestageError } from '../wire/problem.js';
import { isFinal } from './road.js';

/** Cancels an accepted turn with DELETE, again and again until a gateway has heard it or the turn is over. Its own road tells how it ended. */
export async function stopOverHttp(
  turn: LiveTurn,
  parts: { http: HttpClient; backoff: Backoff; random: () => number; signal: AbortSignal },
): Promise<void> {
  const { http, backoff, random, signal } = parts;
  const path = `/api/v1/messages/${encodeURIComponent(turn.messageId ?? '')}`;
  for (let failures = 0; !turn.isOver && !signal.aborted; failures += 1) {
    try {
      await http.json('DELETE', path, { signal });
      return;
    } catch (thrown) {
      const error = toSidestageError(thrown);
      if (isFinal(error, true)) return;
      await pause((error.retryAfterMs ?? 0) + backoffMs(failures, random(), backoff), { signal, until: turn.over });
    }
  }
}
