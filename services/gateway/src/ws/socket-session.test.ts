import { EventEmitter } from 'node:events';
import { expect, jest, test } from '@jest/globals';
import { makeId, makeLogger } from '@sidestage/runtime';
import type { LiveTurn } from '@sidestage/turns';
import { SocketSession, type SocketSessionOptions } from './socket-session.js';

const tenantId = makeId();
const conversationId = makeId();
const principal = 'user:fan';

function liveTurn(): LiveTurn {
  return {
    turn_id: makeId(),
    generation_id: makeId(),
    tenant_id: tenantId,
    conversation_id: conversationId,
    creator_id: makeId(),
    principal,
    tier: 'free',
    accepted_at: Date.now(),
  };
}

/** A session of a device that says it resumes so many turns; `followed` is what it was then told of, and from where. */
function connect(
  turns: readonly LiveTurn[],
  { resumes, lookups = Promise.resolve() }: { resumes: number | null; lookups?: Promise<void> },
) {
  const followed: [string, number][] = [];
  const openTurns = jest.fn(async () =>
    turns.map((turn) => ({ ...turn, id: turn.turn_id, message: 'hello', accepted_at: new Date() })),
  );
  const socket = Object.assign(new EventEmitter(), {
    OPEN: 1,
    readyState: 1,
    bufferedAmount: 0,
    send: () => undefined,
    close: () => undefined,
  });
  // What a session reads of its world; nothing of the rest is called here.
  const session = new SocketSession({
    socket,
    handshake: {
      principal: { id: principal, tenantId, expiresAt: null },
      sessionId: conversationId,
      clientId: 'phone',
      conversation: { id: conversationId, creatorId: makeId() },
      resumes,
      traceparent: null,
    },
    liveTurns: {
      find: async (_: string, id: string) => {
        await lookups;
        return turns.find((turn) => turn.turn_id === id) ?? null;
      },
    },
    openTurns,
    relay: {
      follow: (turn: { id: string }, { afterSeq }: { afterSeq: number }) => {
        followed.push([turn.id, afterSeq]);
        return { close: () => undefined };
      },
    },
    feed: { subscribe: () => () => undefined },
    logger: makeLogger({ service: 'test', level: 'CRITICAL' }),
  } as unknown as SocketSessionOptions);
  const resume = ({ turn_id }: LiveTurn): void => {
    const frame = { type: 'resume', message_id: turn_id, last_seq: 2 };
    socket.emit('message', Buffer.from(JSON.stringify(frame)), false);
  };
  return { session, socket, openTurns, followed, resume };
}
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test('turns that a device resumes are not shown from their beginning, however long their lookup takes', async () => {
  const turns = [liveTurn(), liveTurn(), liveTurn()];
  let answerLookups: () => void = () => undefined;
  const lookups = new Promise<void>((resolve) => {
    answerLookups = resolve;
  });
  const { session, socket, openTurns, followed, resume } = connect(turns, { resumes: null, lookups });
  for (const turn of turns) resume(turn);
  // Redis comes back in this very moment.
  session.showTurns(new Date());
  await pause(1_300);
  expect(openTurns).toHaveBeenCalledTimes(1);
  expect(followed).toEqual([]);
  answerLookups();
  await pause(50);
  expect(followed).toEqual(turns.map(({ turn_id }) => [turn_id, 2]));
  socket.emit('close');
});

test('a device that has said how many turns it resumes is told of none by itself before it has, however long it takes', async () => {
  const turns = [liveTurn(), liveTurn()];
  const other = liveTurn();
  const { socket, followed, resume } = connect([...turns, other], { resumes: 2 });
  await pause(1_300);
  expect(followed).toEqual([]);
  for (const turn of turns) resume(turn);
  await pause(50);
  expect(followed.toSorted()).toEqual([...turns.map(({ turn_id }) => [turn_id, 2]), [other.turn_id, 0]].toSorted());
  socket.emit('close');
});

test('a device that resumes nothing is shown the running turns at once', async () => {
  const turn = liveTurn();
  const { socket, followed } = connect([turn], { resumes: 0 });
  await pause(50);
  expect(followed).toEqual([[turn.turn_id, 0]]);
  socket.emit('close');
});
