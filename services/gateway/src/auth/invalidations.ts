import { closeRedis, type Logger, makeRedis, type Redis } from '@sidestage/runtime';
import { keys } from '@sidestage/turns';
import { z } from 'zod';

const news = z.discriminatedUnion('type', [
  /** A credential ended before its time (store: RevokedSubject). */
  z.object({ type: z.literal('revoked'), subject: z.string() }),
  z.object({ type: z.literal('policy'), tenant_id: z.string() }),
  z.object({ type: z.literal('creator'), tenant_id: z.string() }),
]);
/** Something gateways cache has changed. */
export type Invalidation = z.infer<typeof news>;

/** Carries invalidations between the gateways. Redis may lose one: every cache also ends by itself within 5 s. */
export interface Invalidations {
  /** This process hears it at once, the others over Redis. */
  publish(invalidation: Invalidation): void;
  listen(listener: (invalidation: Invalidation) => void): void;
  close(): Promise<void>;
}

export function makeInvalidations(options: { redisUrl: string; redis: Redis; logger: Logger }): Invalidations {
  const listeners = new Set<(invalidation: Invalidation) => void>();
  const subscriber = makeRedis(options.redisUrl, 'subscriber', options.logger);
  const tell = (invalidation: Invalidation) => {
    for (const listener of listeners) listener(invalidation);
  };
  subscriber.on('message', (_channel, text) => {
    try {
      tell(news.parse(JSON.parse(text)));
    } catch (error) {
      options.logger.warn({ err: error }, 'an invalidation could not be read');
    }
  });
  subscriber.subscribe(keys.invalidations()).catch((error: unknown) => {
    options.logger.debug({ err: error }, 'not subscribed to invalidations');
  });
  return {
    publish(invalidation) {
      tell(invalidation);
      options.redis.publish(keys.invalidations(), JSON.stringify(invalidation)).catch((error: unknown) => {
        options.logger.debug({ err: error }, 'invalidation not published, caches end by themselves');
      });
    },
    listen: (listener) => listeners.add(listener),
    close: () => closeRedis(subscriber),
  };
}
