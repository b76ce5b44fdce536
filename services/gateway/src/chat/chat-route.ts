import type { IncomingMessage, ServerResponse } from 'node:http';
import { chatBody, maxChatBytes, ProblemError, parseOrProblem, type ReplyEvent } from '@sidestage/contracts';
import { traceOf } from '@sidestage/runtime';
import { storedOutcome, type WaitingLine } from '@sidestage/turns';
import type { Principal } from '../auth/principal.js';
import { sendAccepted, sendOutcome, setHeaders } from './answers.js';
import { readIdempotencyKey, stillRunning } from './idempotency.js';
import { followPaced, type PacedFollowing } from './paced-following.js';
import { rateLimitHeaders } from './rate-limit.js';
import { readJson } from './read-json.js';
import { makeMeasurement, type Relay } from './relay.js';
import type { SseStreams } from './sse-stream.js';
import type { Message, Submission, Submitter } from './submit.js';
import { messageLocation, type Turn, toClientEvent } from './turn.js';

/** Whether the client asked for the events as they come. */
export function wantsEvents(request: IncomingMessage): boolean {
  return /(^|[,\s])text\/event-stream(?!\s*;\s*q=0(\.0*)?\s*(,|$))/i.test(request.headers.accept ?? '');
}

function wantsNoWait(request: IncomingMessage): boolean {
  return /(^|[,;\s])respond-async($|[,;\s])/i.test(String(request.headers.prefer ?? ''));
}

export interface ChatRouteOptions {
  submitter: Submitter;
  relay: Relay;
  streams: SseStreams;
  waitingLine: Pick<WaitingLine, 'place'>;
  requestTimeoutMs: number;
  concurrencyLimit: number;
}

/** `POST /api/v1/chat` in its forms. */
export function makeChatRoute(options: ChatRouteOptions) {
  const { submitter, relay, streams } = options;
  const waits = new Set<AbortController>();
  let answering = 0;
  let leaving = false;

  /** Runs `wait` with a signal for when the client leaves, the time is up or the process stops. It ends the wait, never the turn. */
  async function bounded<T>(
    request: IncomingMessage,
    response: ServerResponse,
    wait: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const elapsedMs = performance.now() - traceOf(request).startedAt;
    const controller = new AbortController();
    const abort = () => controller.abort();
    const timer = setTimeout(abort, Math.max(0, options.requestTimeoutMs - elapsedMs));
    response.once('close', abort);
    waits.add(controller);
    if (leaving) abort();
    try {
      return await wait(controller.signal);
    } finally {
      waits.delete(controller);
      response.off('close', abort);
      clearTimeout(timer);
    }
  }

  async function answerWhenDone(
    request: IncomingMessage,
    response: ServerResponse,
    { turn, announced }: Submission,
    headers: Record<string, string>,
  ): Promise<void> {
    const terminal = await bounded(request, response, async (signal) => {
      await announced;
      return relay.untilEnd(turn, { measured: makeMeasurement(), signal });
    });
    if (response.destroyed) return;
    if (terminal) return sendOutcome(response, turn, terminal, traceOf(request).requestId, headers);
    const place = await options.waitingLine.place(turn.id);
    sendAccepted(
      response,
      turn,
      { status: 'queued', position: place?.position ?? null, eta_ms: place?.eta_ms ?? null },
      headers,
    );
  }

  /** A repeated key over JSON: the stored answer, or 409 while there is none. */
  function answerRepeated(
    request: IncomingMessage,
    response: ServerResponse,
    { turn, repeated }: Submission,
    headers: Record<string, string>,
  ): void {
    const terminal = repeated && storedOutcome(repeated).terminal;
    if (!terminal) {
      setHeaders(response, headers);
      throw stillRunning(turn.id);
    }
    sendOutcome(response, turn, { ...terminal, seq: 0 }, traceOf(request).requestId, headers);
  }

  async function streamEvents(
    response: ServerResponse,
    submission: Submission,
    headers: Record<string, string>,
  ): Promise<void> {
    const { turn, announced } = submission;
    const stream = openEventStream({ relay, streams }, response, turn, {
      afterSeq: 0,
      measured: submission.repeated === null,
      headers: { ...headers, Location: messageLocation(turn.id) },
      begin: announced,
    });
    await stream;
  }

  async function answer(request: IncomingMessage, response: ServerResponse, principal: Principal, message: Message) {
    const submission = await submitter.submit(principal, message);
    const headers = {
      ...rateLimitHeaders(submission.limits),
      ...(submission.repeated && { 'Idempotency-Replayed': 'true' }),
    };
    if (wantsEvents(request)) return streamEvents(response, submission, headers);
    if (submission.repeated) return answerRepeated(request, response, submission, headers);
    if (wantsNoWait(request)) {
      const { turn, position, eta_ms } = submission;
      return sendAccepted(
        response,
        turn,
        { status: 'queued', position, eta_ms },
        {
          ...headers,
          'Preference-Applied': 'respond-async',
        },
      );
    }
    return answerWhenDone(request, response, submission, headers);
  }

  /** Answers a message, however it was sent, within the gateway's bound of requests being answered. */
  async function answerMessage(
    request: IncomingMessage,
    response: ServerResponse,
    principal: Principal,
    message: Message,
  ): Promise<void> {
    if (answering >= options.concurrencyLimit)
      throw new ProblemError('overloaded', {
        detail: 'This gateway is answering as many requests as it may. Try again in a moment.',
        retryAfterSeconds: 2,
        violatedPolicies: ['concurrency'],
      });
    answering++;
    try {
      await answer(request, response, principal, message);
    } finally {
      answering--;
    }
  }

  return {
    answerMessage,
    /** Requests being answered. */
    answering: () => answering,
    /** Waiting requests, also one that comes later, get their 202 now. */
    endWaits() {
      leaving = true;
      for (const wait of waits) wait.abort();
    },
    async post(request: IncomingMessage, response: ServerResponse, principal: Principal): Promise<void> {
      const idempotencyKey = readIdempotencyKey(request.headers['idempotency-key']);
      const body = parseOrProblem(chatBody, await readJson(request, maxChatBytes));
      const { requestId, traceparent } = traceOf(request);
      await answerMessage(request, response, principal, {
        message: body.message,
        creatorId: body.creator_id,
        conversationId: body.conversation_id ?? null,
        userId: body.user_id ?? null,
        videoUrl: body.video_url ?? null,
        idempotencyKey,
        requestId,
        traceparent: traceparent ?? null,
        socketId: null,
      });
    },
  };
}
export type ChatRoute = ReturnType<typeof makeChatRoute>;

/**
 * Streams a turn's events until its end; resolves when the stream is closed. The client may leave at any time: the following ends, the reply
 * is saved all the same. `begin` false: Redis is away, so `queued` is told from here, without a number of the buffer.
 */
export function openEventStream(
  { relay, streams }: { relay: Relay; streams: SseStreams },
  response: ServerResponse,
  turn: Turn,
  options: { afterSeq: number; measured: boolean; headers: Record<string, string>; begin: Promise<boolean> },
): Promise<void> {
  return new Promise((resolve) => {
    let following: PacedFollowing | null = null;
    let closed = false;
    const stream = streams.open(response, options.headers, {
      onDrain: () => following?.drained(),
      onClose() {
        closed = true;
        following?.close();
        resolve();
      },
    });
    void options.begin.then((begun) => {
      if (closed) return;
      if (!begun) {
        const queued: ReplyEvent = { type: 'queued', position: null, eta_ms: null, seq: 0 };
        stream.send(toClientEvent(turn, queued));
      }
      following = followPaced(relay, turn, {
        afterSeq: options.afterSeq,
        measured: options.measured,
        write: (event) => stream.send(toClientEvent(turn, event)),
        onEnd: () => stream.end(),
      });
    });
  });
}
