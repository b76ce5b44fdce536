import { request } from 'node:http';

export interface LiveWatchOptions {
  /** Null while the process makes progress; otherwise why not. */
  ask: () => Promise<string | null>;
  /** It was found without progress `misses` times in a row: said once, the watch is over then. */
  onStuck: (why: string) => void;
  everyMs?: number;
  misses?: number;
}

/**
 * Asks a running service now and then whether it makes progress. A process that hangs, or whose queue has gone silent, ends only when somebody
 * ends it. Gives what stops the watch.
 */
export function watchLiveness({ ask, onStuck, everyMs = 5_000, misses = 6 }: LiveWatchOptions): () => void {
  let missed = 0;
  let asking = false;
  async function look(): Promise<void> {
    if (asking) return;
    asking = true;
    const why = await ask();
    asking = false;
    if (why === null) missed = 0;
    else missed += 1;
    if (why === null || missed !== misses) return;
    clearInterval(timer);
    onStuck(why);
  }
  const timer = setInterval(() => void look(), everyMs);
  timer.unref();
  return () => {
    missed = Number.NEGATIVE_INFINITY;
    clearInterval(timer);
  };
}

/** What `GET /health/live` says: null for 200, else its reason. Waits 3 s. */
export function askLive(port: number, host: string): Promise<string | null> {
  return new Promise((resolve) => {
    const asked = request({ port, host, path: '/health/live', timeout: 3_000 }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('error', () => resolve('its answer was cut'));
      response.on('end', () => {
        const said = /"detail":"([^"]*)"/.exec(Buffer.concat(parts).toString('utf8'))?.[1];
        resolve(response.statusCode === 200 ? null : (said ?? `it answers ${response.statusCode}`));
      });
    });
    asked.on('timeout', () => asked.destroy(new Error('no answer within 3 s')));
    asked.on('error', (error) => resolve(error.message));
    asked.end();
  });
}
