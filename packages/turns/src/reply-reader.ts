import type { ReplyEvent } from '@sidestage/contracts';
import { closeRedis, type Logger, makeRedis } from '@sidestage/runtime';
import type { Redis } from 'ioredis';
import { Follower } from './follower.js';
import { keys } from './keys.js';
import type { ReplyReader } from './ports.js';
import { parseBatch, parseEntries } from './reply-batch.js';

export interface ReplyReaderOptions {
  /** For the one subscriber connection. */
  redisUrl: string;
  /** Reads the streams: a request connection, fails fast. */
  redis: Redis;
  logger: Logger;
  /** How often quiet followers are looked at, ms. Default 1,000. */
  tickMs?: number;
  /** Silence after which a follower's stream is read without a message, ms. Default 2,000: lost messages cost no more than this. */
  quietMs?: number;
  /** Silence after which Postgres is asked although the buffer is there, ms. Default 10,000. */
  storedMs?: number;
}

/** Events read at once: few at first, as a slow reader is left after some and comes back for the rest; then twice as many each time. */
const firstPage = 32;
const largestPage = 1_024;

/**
 * The subscription is confirmed before the stream is read, so an event is in the stream, or comes live, or both; numbers tell them apart.
 * Pub/sub is at most once: a hole in the numbers, a reconnect or silence leads to a read of the stream, and where Redis has nothing, Postgres.
 */
export function makeReplyReader(options: ReplyReaderOptions): ReplyReader {
  const { redis, logger, tickMs = 1_000, quietMs = 2_000, storedMs = 10_000 } = options;
  const subscriber = makeRedis(options.redisUrl, 'subscriber', logger);
  const byChannel = new Map<string, Set<Follower>>();
  const subscribed = new Map<string, Promise<void>>();
  let closed = false;

  function subscribe(channel: string): Promise<void> {
    let done = subscribed.get(channel);
    if (!done) {
      done = subscriber.subscribe(channel).then(
        () => undefined,
        () => {
          subscribed.delete(channel);
        },
      );
      subscribed.set(channel, done);
    }
    return done;
  }

  function detach(channel: string, follower: Follower): void {
    follower.ended = true;
    const followers = byChannel.get(channel);
    if (!followers?.delete(follower) || followers.size > 0) return;
    byChannel.delete(channel);
    subscribed.delete(channel);
    if (!closed) subscriber.unsubscribe(channel).catch(() => undefined);
  }

  /** Reads what the buffer has after the follower's last event. Rejects when Redis is not reachable. */
  async function readBuffer(follower: Follower): Promise<'read' | 'lost'> {
    const { generationId } = follower.options;
    for (let page = firstPage; ; page = Math.min(largestPage, page * 2)) {
      const after = `(${follower.lastSeq}-0`;
      const [entries, seq] = await Promise.all([
        redis.xrange(keys.replyStream(generationId), after, '+', 'COUNT', page),
        redis.hget(keys.replyState(generationId), 'seq'),
      ]);
      if (seq === null || Number(seq) < follower.lastSeq) return 'lost';
      if (entries.length === 0) return Number(seq) > follower.lastSeq ? 'lost' : 'read';
      if (!follower.catchUp(parseEntries(entries))) return 'lost';
      if (follower.ended || entries.length < page) return 'read';
    }
  }

  async function askPostgres(follower: Follower): Promise<void> {
    follower.askedAt = performance.now();
    const stored = await follower.options.stored();
    // Once more: the terminal event may have been written between the two readings, and a live buffer tells it better.
    if (stored && !stored.terminal) return;
    const buffer = await readBuffer(follower).catch(() => 'lost' as const);
    if (buffer === 'lost' || !follower.ended) follower.recover(stored);
  }

  async function catchUp(channel: string, follower: Follower, reason: 'begin' | 'gap' | 'quiet'): Promise<void> {
    if (follower.reading || follower.ended) return;
    follower.reading = true;
    follower.lookedAt = performance.now();
    try {
      const buffer = await readBuffer(follower).catch(() => 'lost' as const);
      const silence = performance.now() - follower.askedAt;
      if (!follower.ended && (buffer === 'lost' ? reason !== 'gap' || silence > quietMs : silence > storedMs))
        await askPostgres(follower);
    } catch (error) {
      logger.warn(
        { err: error, generation_id: follower.options.generationId },
        'reply could not be read, trying again',
      );
    } finally {
      const whole = follower.release();
      if (follower.ended) detach(channel, follower);
      else if (!whole) follower.lookedAt = 0;
    }
  }

  function onMessage(channel: string, payload: string): void {
    const followers = byChannel.get(channel);
    if (!followers) return;
    const events: ReplyEvent[] | null = parseBatch(payload);
    for (const follower of [...followers]) {
      if (!events || !follower.receive(events)) void catchUp(channel, follower, 'gap');
      else if (follower.ended) detach(channel, follower);
    }
  }

  /** After a reconnect: once the server has confirmed every channel again, what was missed is in the streams. */
  async function onReady(): Promise<void> {
    const channels = [...byChannel.keys()];
    if (channels.length === 0) return;
    await subscriber.subscribe(...channels);
    for (const [channel, followers] of byChannel)
      for (const follower of followers) void catchUp(channel, follower, 'begin');
  }

  subscriber.on('message', onMessage);
  subscriber.on('ready', () => void onReady().catch(() => undefined));
  const ticker = setInterval(() => {
    const now = performance.now();
    for (const [channel, followers] of byChannel) {
      for (const follower of followers) {
        if (now - follower.lookedAt >= quietMs) void catchUp(channel, follower, 'quiet');
      }
    }
  }, tickMs);
  ticker.unref();

  return {
    follow(follow) {
      const channel = keys.replyChannel(follow.generationId);
      const follower = new Follower(follow);
      const followers = byChannel.get(channel) ?? new Set();
      byChannel.set(channel, followers.add(follower));
      void subscribe(channel).then(() => catchUp(channel, follower, 'begin'));
      return { close: () => detach(channel, follower) };
    },
    async close() {
      closed = true;
      clearInterval(ticker);
      byChannel.clear();
      await closeRedis(subscriber);
    },
  };
}
