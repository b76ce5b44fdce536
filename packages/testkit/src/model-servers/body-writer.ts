import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ModelBehaviour } from './behaviour.js';

/** Writes the body of one answer and obeys `cut`, wherever the byte falls. */
export interface BodyWriter {
  /** False once the body has ended early or the client has gone: nothing more need be said. */
  write(text: string): Promise<boolean>;
  end(): Promise<void>;
}

export function makeBodyWriter(response: ServerResponse, cut: ModelBehaviour['cut']): BodyWriter {
  let sent = 0;
  let over = false;

  function push(bytes: Buffer): Promise<void> {
    return new Promise((resolve) => response.write(bytes, () => resolve()));
  }

  async function endEarly(): Promise<void> {
    over = true;
    if (cut?.clean) {
      response.end();
      return;
    }
    // What was written reaches the client before the connection breaks, else a cut late in the body would look like one at its beginning.
    await sleep(5);
    response.destroy();
  }

  return {
    async write(text) {
      if (over || response.destroyed) return false;
      const bytes = Buffer.from(text);
      const room = cut === undefined ? Number.POSITIVE_INFINITY : cut.atByte - sent;
      sent += bytes.length;
      if (bytes.length < room) {
        await push(bytes);
        return !response.destroyed;
      }
      if (room > 0) await push(bytes.subarray(0, room));
      else response.flushHeaders();
      await endEarly();
      return false;
    },
    async end() {
      if (over || response.destroyed) return;
      over = true;
      await new Promise<void>((resolve) => response.end(resolve));
    },
  };
}
