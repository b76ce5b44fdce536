import { randomUUID } from 'node:crypto';
import { type Conversation, makeSidestage, type Sidestage, SidestageError } from '@sidestage/client';
import type { Road, SentTurn } from '../ledger/records.js';
import type { Random } from '../random.js';
import type { WireTap } from './wire-tap.js';

export interface CrowdOptions {
  /** Of the gateways. */
  addresses: readonly string[];
  keys: readonly string[];
  creatorId: string;
  questions: readonly string[];
  random: Random;
  tap: WireTap;
  /** Turns accepted or on their way, at most, while the steady load runs. */
  outstanding: number;
  /** Messages a second. */
  rate: number;
}

/** Messages of one conversation: they are sent as fast as the rate allows, and each waits for the one before. */
const burst = 30;
const roads: readonly Road[] = ['sse', 'ws'];
const tickMs = 20;

interface Talk {
  name: string;
  road: Road;
  conversation: Conversation;
  sent: number;
  open: number;
}

/** Fans who ask at a steady rate over SSE and WebSocket, some of them several things at once, and read on whatever happens. */
export function makeCrowd(options: CrowdOptions) {
  const { addresses, keys, creatorId, questions, random, tap } = options;
  const turns: SentTurn[] = [];
  const ended = new Set<string>();
  const talks = new Set<Talk>();
  const programs = new Map<string, Sidestage>();
  let open = 0;
  let due = 0;
  let surges = 0;
  let ticker: NodeJS.Timeout | undefined;
  const { rate } = options;

  /** A fan's program: one a key, road and gateway it tries first. Those of a surge are new: older ones may have settled at the other gateway. */
  function program(key: string, road: Road, first: number, surge: number): Sidestage {
    const name = `${key} ${road} ${first} ${surge}`;
    const known = programs.get(name);
    if (known) return known;
    const made = makeSidestage({
      url: [...addresses.slice(first), ...addresses.slice(0, first)],
      credential: key,
      transports: [road],
      fetch: tap.fetch,
      WebSocket: tap.WebSocket,
      random: random.next,
      giveUpMs: 170_000,
    });
    programs.set(name, made);
    return made;
  }

  function begin(road: Road, first: number, surge = 0): Talk {
    const sidestage = program(random.pick(keys), road, first, surge);
    const talk: Talk = {
      name: randomUUID(),
      road,
      conversation: sidestage.conversation({ creatorId }),
      sent: 0,
      open: 0,
    };
    talks.add(talk);
    return talk;
  }

  function ask(talk: Talk): void {
    const marker = `q${turns.length.toString(36)}z`;
    const record: SentTurn = {
      key: randomUUID(),
      marker,
      conversation: talk.name,
      place: talk.sent,
      road: talk.road,
      sentAt: Date.now(),
      acceptedAt: null,
      messageId: null,
      endedAt: null,
      end: null,
    };
    turns.push(record);
    talk.sent += 1;
    talk.open += 1;
    open += 1;
    const turn = talk.conversation.send(`${marker} ${random.pick(questions)}`, { idempotencyKey: record.key });
    let shown = '';
    turn.onEvent((event) => {
      if (event.type === 'reset') shown = '';
      if (event.type === 'delta') shown += event.text;
    });
    turn.accepted.then(
      ({ messageId }) => {
        record.messageId = messageId;
        record.acceptedAt = Date.now();
      },
      () => undefined,
    );
    turn.reply
      .then(
        (reply) => {
          record.end = { kind: 'completed', reply, shown };
        },
        (error: unknown) => {
          const problem =
            error instanceof SidestageError
              ? error.problem
              : { type: 'about:blank', title: String(error), status: 500, code: 'internal' as const };
          record.end = { kind: 'problem', problem };
        },
      )
      .finally(() => {
        record.endedAt = Date.now();
        record.messageId ??= turn.messageId;
        if (record.messageId !== null) ended.add(record.messageId);
        talk.open -= 1;
        open -= 1;
        if (talk.open === 0 && talk.sent >= burst) leave(talk);
      });
  }

  function leave(talk: Talk): void {
    talks.delete(talk);
    void talk.conversation.close();
  }

  function tick(): void {
    due = Math.min(due + (rate * tickMs) / 1_000, rate);
    while (due >= 1 && open < options.outstanding) {
      // The one that has said something and not all of it goes on; several messages of it wait for each other.
      const speaking = [...talks].find((talk) => talk.sent < burst);
      ask(speaking ?? begin(random.pick(roads), random.below(addresses.length)));
      due -= 1;
    }
  }

  return {
    turns: turns as readonly SentTurn[],
    /** Sent and not ended. */
    get open() {
      return open;
    },
    hasEnded: (messageId: string): boolean => ended.has(messageId),
    /** Begins, or goes on after {@link pause}. */
    start(): void {
      ticker ??= setInterval(tick, tickMs);
    },
    /** Nobody asks anything new; what was asked goes on. */
    pause(): void {
      clearInterval(ticker);
      ticker = undefined;
      due = 0;
    },
    /** So many fans at once ask one thing each through one gateway; half of them over SSE. */
    surge(count: number, gateway: number): SentTurn[] {
      const from = turns.length;
      surges += 1;
      for (let fan = 0; fan < count; fan++) {
        const talk = begin(roads[fan % roads.length] ?? 'sse', gateway, surges);
        ask(talk);
        talk.sent = burst;
      }
      return turns.slice(from);
    },
    async close(): Promise<void> {
      clearInterval(ticker);
      await Promise.all([...programs.values()].map((sidestage) => sidestage.close()));
    },
  };
}
export type Crowd = ReturnType<typeof makeCrowd>;
