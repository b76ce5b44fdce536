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

test('turns that a device resumes are not shown from their beginning, however long their lookup takes', async () => {
  const turns = [liveTurn(), liveTurn(), liveTurn()];
  let answerLookups: () => void = () => undefined;
  const lookups = new Promise<void>((resolve) => {
    answerLookups = resolve;
  });
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
  for (const { turn_id } of turns)
    socket.emit('message', Buffer.from(JSON.stringify({ type: 'resume', message_id: turn_id, last_seq: 2 })), false);
  // Redis comes back in this very moment.
  session.showTurns(new Date());
  await new Promise((resolve) => setTimeout(resolve, 1_300));
  expect(openTurns).toHaveBeenCalledTimes(1);
  expect(followed).toEqual([]);
  answerLookups();
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(followed).toEqual(turns.map(({ turn_id }) => [turn_id, 2]));
  socket.emit('close');
});
