import type { Logger } from '@sidestage/runtime';
import type { RevocationRepository } from '@sidestage/store';
import { accessTokenSeconds, clockToleranceSeconds } from './access-tokens.js';
import type { Invalidations } from './invalidations.js';
import type { Principal } from './principal.js';

/** After this long no access token lives that a revocation concerns. */
export const revocationSeconds = accessTokenSeconds + clockToleranceSeconds + 60;
/** How often Postgres is asked: the news holds within 5 s even while Redis is down. */
const pollMs = 2_000;
/** A commit may become visible so much later than the time it carries (statement timeout and more). */
const overlapSeconds = 20;

/** Which credentials ended before their time, as of at most a few seconds ago. Read synchronously on every request. */
export interface RevokedCredentials {
  concerns(principal: Principal): boolean;
  /** Called once for each subject that ends: `user:<id>`, `key:<id>` or `session:<id>`. */
  onRevoked(listener: (subject: string) => void): void;
  close(): void;
}

export function makeRevokedCredentials(options: {
  repository: RevocationRepository;
  invalidations: Invalidations;
  logger: Logger;
}): RevokedCredentials {
  const { repository, logger } = options;
  /** Subject to when it can be forgotten, ms since the epoch. */
  const revoked = new Map<string, number>();
  const listeners = new Set<(subject: string) => void>();
  let lastReadAt: number | undefined;
  let failing = false;

  function add(subject: string): void {
    const isNew = !revoked.has(subject);
    revoked.set(subject, Date.now() + revocationSeconds * 1000);
    if (isNew) for (const listener of listeners) listener(subject);
  }

  async function read(): Promise<void> {
    const startedAt = Date.now();
    const seconds =
      lastReadAt === undefined ? revocationSeconds : Math.ceil((startedAt - lastReadAt) / 1000) + overlapSeconds;
    try {
      for (const subject of await repository.since(Math.min(seconds, revocationSeconds))) add(subject);
      lastReadAt = startedAt;
      failing = false;
    } catch (error) {
      if (!failing) logger.warn({ err: error }, 'revocations cannot be read');
      failing = true;
    }
    for (const [subject, until] of revoked) if (until < startedAt) revoked.delete(subject);
  }

  options.invalidations.listen((invalidation) => {
    if (invalidation.type === 'revoked') add(invalidation.subject);
  });
  let timer: NodeJS.Timeout;
  let closed = false;
  const loop = () => {
    read().finally(() => {
      if (!closed) timer = setTimeout(loop, pollMs);
    });
  };
  loop();
  return {
    concerns: ({ id, sessionId }) => revoked.has(id) || (sessionId !== null && revoked.has(`session:${sessionId}`)),
    onRevoked: (listener) => listeners.add(listener),
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}
