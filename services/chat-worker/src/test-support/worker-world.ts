import { fork } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { ReplyEvent } from '@sidestage/contracts';
import { isTerminal } from '@sidestage/contracts';
import { closeRedis, makeId, makeLogger, makeRedis } from '@sidestage/runtime';
import { makeDatabase, makeTurnAcceptor, makeTurnSettler, type NewTurn, type TurnRow } from '@sidestage/store';
import { makeTestDatabase, makeTestRedis, waitFor } from '@sidestage/testkit';
import { makeDispatcher, makeReplyReader, makeReplyWriter, storedOutcome } from '@sidestage/turns';
import { readConfig } from '../config.js';
import { runWorker } from '../run.js';
import { startFakeRetrieval } from './fake-retrieval.js';

const workerEntry = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

export interface SentTurn {
  turnId: string;
  generationId: string;
  conversationId: string;
  /** What a client has seen, filled as it comes. */
  events: ReplyEvent[];
  /** Resolves with all events once the terminal one is here. */
  ended(timeoutMs?: number): Promise<ReplyEvent[]>;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Real Postgres and Redis, a fake retrieval service, and the gateway's part of a turn's life; workers run in this process or as children. */
export async function makeWorkerWorld(options: { appendonly?: boolean } = {}) {
  const logger = makeLogger({ service: 'test', level: 'CRITICAL' });
  const testDatabase = await makeTestDatabase();
  const testRedis = await makeTestRedis({ appendonly: options.appendonly ?? true });
  const retrieval = await startFakeRetrieval();
  const database = makeDatabase({ url: testDatabase.url, max: 8, idleMs: 10_000, waitMs: 2_000, logger });
  const redis = makeRedis(testRedis.url, 'request', logger);
  const writer = makeReplyWriter({ redis });
  const reader = makeReplyReader({ redisUrl: testRedis.url, redis, logger });
  const dispatcher = makeDispatcher({ redisUrl: testRedis.url, logger });
  const acceptor = makeTurnAcceptor(database.engine);
  const settler = makeTurnSettler(database.engine);
  const tenantId = makeId();
  const creatorId = makeId();
  const workers: { stop(): Promise<void> }[] = [];
  await testDatabase.query('INSERT INTO tenants (id, name) VALUES ($1, $2)', [tenantId, 'test']);
  await testDatabase.query(
    `INSERT INTO creators (id, tenant_id, slug, name, persona) VALUES ($1, $2, 'ada', 'Ada', 'Warm and exact.')`,
    [creatorId, tenantId],
  );

  async function row(turnId: string): Promise<TurnRow> {
    const [turn] = await testDatabase.query<TurnRow & Record<string, unknown>>('SELECT * FROM turns WHERE id = $1', [
      turnId,
    ]);
    if (!turn) throw new Error(`no turn ${turnId}`);
    return turn;
  }

  const environment = (extra: Record<string, string>): Record<string, string> => ({
    DATABASE_URL: testDatabase.url,
    REDIS_URL: testRedis.url,
    RETRIEVAL_URL: retrieval.url,
    RETRIEVAL_TOKEN: 'test-token',
    LOG_LEVEL: 'CRITICAL',
    DB_POOL_MAX: '24',
    DRAIN_MS: '500',
    MODEL_LADDER: 'builtin',
    ...extra,
  });

  async function send(
    message: string,
    how: { conversationId?: string; deadlineMs?: number; offer?: boolean; follow?: boolean; videoUrl?: string } = {},
  ): Promise<SentTurn> {
    const turnId = makeId();
    const generationId = makeId();
    const conversationId = how.conversationId ?? makeId();
    const turn: NewTurn = {
      turn_id: turnId,
      generation_id: generationId,
      tenant_id: tenantId,
      conversation_id: conversationId,
      new_conversation: how.conversationId === undefined,
      title: message.slice(0, 60),
      creator_id: creatorId,
      principal: 'user:test',
      end_user_id: '',
      tier: 'free',
      message,
      video_url: how.videoUrl ?? null,
      idempotency_key: null,
      request_hash: null,
      request_id: `request-${turnId}`,
      traceparent: null,
      deadline_ms: how.deadlineMs ?? 180_000,
    };
    const accepted = await acceptor.accept(turn);
    if (accepted.kind !== 'accepted') throw new Error(`not accepted: ${accepted.kind}`);
    const events: ReplyEvent[] = [];
    if (how.follow !== false) {
      await writer.append(generationId, 0, [{ type: 'queued', position: 1, eta_ms: null }]).catch(() => undefined);
      reader.follow({
        generationId,
        afterSeq: 0,
        deliver: (batch) => events.push(...batch),
        stored: async () => storedOutcome(await row(turnId)),
      });
    }
    if (how.offer !== false && accepted.state === 'offered') {
      await dispatcher.offer({ tenant_id: tenantId, turn_id: turnId, request_id: turn.request_id, traceparent: null });
    }
    return {
      turnId,
      generationId,
      conversationId,
      events,
      ended: async (timeoutMs = 15_000) => {
        await waitFor(() => events.some((event) => isTerminal(event.type)), { timeoutMs, what: `end of "${message}"` });
        return events;
      },
    };
  }

  return {
    database,
    testDatabase,
    testRedis,
    redis,
    retrieval,
    writer,
    reader,
    dispatcher,
    settler,
    tenantId,
    creatorId,
    row,
    send,

    /** A worker in this process. */
    async startWorker(extra: Record<string, string> = {}) {
      const worker = await runWorker(readConfig({ ...environment(extra), PORT: String(await freePort()) }));
      const stop = () => worker.lifecycle.close();
      workers.push({ stop });
      return { port: worker.port, stop };
    },

    /** The workers of this process so far. */
    inProcessWorkers: () => [...workers],

    /** A worker as a process of its own. */
    async forkWorker(extra: Record<string, string> = {}) {
      const port = await freePort();
      const child = fork(workerEntry, {
        env: { ...environment(extra), PORT: String(port), PATH: process.env.PATH ?? '' },
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
        execArgv: [],
      });
      const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      workers.push({
        stop: async () => {
          child.kill('SIGKILL');
          await exited;
        },
      });
      await waitFor(async () => (await fetch(`http://127.0.0.1:${port}/health/live`)).ok, {
        timeoutMs: 25_000,
        what: 'worker to be up',
      });
      return {
        port,
        /** It holds its connections and does nothing any more. */
        freeze: () => child.kill('SIGSTOP'),
        resume: () => child.kill('SIGCONT'),
        kill: async (signal: NodeJS.Signals) => {
          child.kill(signal);
          await exited;
        },
      };
    },

    async close(): Promise<void> {
      for (const worker of workers) await worker.stop();
      await Promise.all([acceptor.drain(), settler.drain()]);
      await reader.close();
      await dispatcher.close();
      await closeRedis(redis);
      await database.close();
      await retrieval.close();
      await testRedis.stop();
      await testDatabase.drop();
    },
  };
}
export type WorkerWorld = Awaited<ReturnType<typeof makeWorkerWorld>>;

/** The text a client shows: deltas since the last reset. */
export function shownText(events: ReplyEvent[]): string {
  let text = '';
  for (const event of events) {
    if (event.type === 'reset') text = '';
    if (event.type === 'delta') text += event.text;
  }
  return text;
}
