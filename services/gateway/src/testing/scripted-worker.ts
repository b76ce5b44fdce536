import type { ReplyEventBody } from '@sidestage/contracts';
import { queues } from '@sidestage/contracts';
import { closeRedis, makeLogger, makeRedis } from '@sidestage/runtime';
import { type ClaimedTurn, type Database, makeTurnRunRepository, makeTurnSettler } from '@sidestage/store';
import { makeAdmissionLedger, makeReplyWriter, makeWaitingLine, queuePrefix, storedOutcome } from '@sidestage/turns';
import { Worker } from 'bullmq';

/** What the worker does with a turn: says things, then gives the reply's text, or null to leave it open. */
export type Script = (turn: ClaimedTurn, say: (...events: ReplyEventBody[]) => Promise<void>) => Promise<string | null>;

/** Says its words one by one. */
export function sayWords(text: string): Script {
  return async (_turn, say) => {
    for (const word of text.split(/(?<= )/)) await say({ type: 'delta', text: word });
    return text;
  };
}

/** A promise a test opens by hand. */
export function makeGate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

/**
 * Claims, speaks and settles like the chat worker, but says what a test tells it to: the other end of the queue in tests of the gateway, where
 * the real worker may not be imported.
 */
export function startScriptedWorker(parts: { redisUrl: string; database: Database }) {
  const logger = makeLogger({ service: 'scripted-worker', level: 'FATAL' });
  const blocking = makeRedis(parts.redisUrl, 'worker', logger);
  const redis = makeRedis(parts.redisUrl, 'request', logger);
  const writer = makeReplyWriter({ redis });
  const line = makeWaitingLine({ redis });
  const ledger = makeAdmissionLedger({ redis, logger });
  const runs = makeTurnRunRepository(parts.database.engine);
  const settler = makeTurnSettler(parts.database.engine, { maxWaitMs: 0 });
  const claimed: string[] = [];
  const state: { script: Script } = { script: sayWords('Hello from the stage') };

  async function answer(tenantId: string, turnId: string): Promise<void> {
    const turn = await runs.claim({ tenant_id: tenantId, turn_id: turnId });
    if (!turn) return;
    claimed.push(turn.message);
    await line.leave([turnId]);
    const say = async (...events: ReplyEventBody[]) => {
      await writer.append(turn.generation_id, turn.epoch, events);
    };
    await say({ type: 'started', attempt: turn.epoch, model: 'test/scripted' });
    const text = await state.script(turn, say);
    if (text === null) return;
    const settled = await settler.settle({
      tenant_id: tenantId,
      turn_id: turnId,
      conversation_id: turn.conversation_id,
      epoch: turn.epoch,
      outcome: 'completed',
      reply_text: text,
      citations: [],
      grounded: true,
      finish_reason: 'stop',
      model: 'test/scripted',
      input_tokens: 1,
      output_tokens: 2,
      first_text_ms: 5,
      problem: null,
    });
    if (!settled.turn) return;
    await ledger.ended([{ tenant_id: tenantId, turn_id: turnId, principal: turn.principal, refund: 'none' }]);
    const { terminal } = storedOutcome(settled.turn);
    if (terminal) await say(terminal);
    await runs.markAnnounced([{ tenant_id: tenantId, turn_id: turnId }]);
    if (settled.released) await jobs.add(settled.released.turn_id, settled.released.tenant_id);
  }

  const worker = new Worker(
    queues.chat.name,
    async (job) => {
      const { tenant_id, turn_id } = queues.chat.payload.parse(job.data);
      await answer(tenant_id, turn_id);
    },
    { connection: blocking, prefix: queuePrefix, concurrency: 50 },
  );
  worker.on('error', () => undefined);
  const jobs = { add: (turnId: string, tenantId: string) => answer(tenantId, turnId) };

  return {
    /** Messages claimed, in that order. */
    claimed,
    use(script: Script) {
      state.script = script;
    },
    async close() {
      await worker.close(true);
      await Promise.all([closeRedis(blocking), closeRedis(redis)]);
    },
  };
}
export type ScriptedWorker = ReturnType<typeof startScriptedWorker>;
