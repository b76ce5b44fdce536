import {
  acceptedSchema,
  chatBody,
  completedSchema,
  conversationSchema,
  feedbackBody,
  historyMessageSchema,
  idempotencyKey as idempotencyKeySchema,
  type ProblemCode,
  turnViewSchema,
} from '@sidestage/contracts';
import { channelMessageBody, sessionBody, sessionMessageBody } from '../chat/legacy-routes.js';
import { noContent, type Operation, type OperationAnswer, ok, z } from './operation.js';

const idempotencyKey = {
  name: 'Idempotency-Key',
  description: 'The same key with the same body is answered once, for 24 hours.',
  schema: idempotencyKeySchema,
};
const events: OperationAnswer = {
  status: 200,
  description:
    'The reply events: `queued`, `started`, `delta`, `citation`, `reset`, `completed`, `failed`, `cancelled`',
  type: 'text/event-stream',
  // One event; OpenAPI 3.1 has no words for a stream of them.
  schema: z.unknown(),
};
const accepted: OperationAnswer = {
  status: 202,
  description: 'Accepted and not answered yet',
  schema: acceptedSchema,
  headers: ['Location'],
};

const sendingProblems: ProblemCode[] = [
  'not_found',
  'idempotency_in_progress',
  'idempotency_mismatch',
  'model_failed',
  'overloaded',
  'deadline_exceeded',
  'cancelled',
];

export const chatOperations: Operation[] = [
  {
    method: 'post',
    path: '/api/v1/chat',
    tag: 'Chat',
    summary: 'Say something to a creator',
    description:
      'Waits for the reply. `Accept: text/event-stream` streams it; `Prefer: respond-async` answers 202 at once. A wait that outlasts 30 s turns into the 202.',
    credential: 'needed',
    headers: [idempotencyKey, { name: 'Prefer', description: '`respond-async`' }],
    body: chatBody,
    answers: [ok(completedSchema, 'The reply'), events, accepted],
    problems: sendingProblems,
  },
  {
    method: 'get',
    path: '/api/v1/messages/{id}',
    tag: 'Chat',
    summary: 'How a message stands',
    credential: 'needed',
    answers: [ok(turnViewSchema)],
    problems: ['not_found'],
  },
  {
    method: 'delete',
    path: '/api/v1/messages/{id}',
    tag: 'Chat',
    summary: 'Cancel a message that is being answered',
    credential: 'needed',
    answers: [ok(turnViewSchema)],
    problems: ['not_found', 'conflict'],
  },
  {
    method: 'get',
    path: '/api/v1/messages/{id}/events',
    tag: 'Chat',
    summary: 'The reply events of a message, from `Last-Event-ID` on',
    credential: 'needed',
    headers: [
      { name: 'Last-Event-ID', description: 'The last `seq` received', schema: z.string().regex(/^\d{1,15}$/) },
    ],
    answers: [events, { status: 204, description: 'Nothing follows the event named' }],
    problems: ['not_found', 'validation_failed'],
  },
  {
    method: 'put',
    path: '/api/v1/messages/{id}/feedback',
    tag: 'Chat',
    summary: 'Thumbs up or down',
    credential: 'needed',
    body: feedbackBody,
    answers: [noContent],
    problems: ['not_found', 'conflict'],
  },
];

const session = z.object({ session_id: z.string(), creator_id: z.string() });
export const olderOperations: Operation[] = [
  {
    method: 'post',
    path: '/chat/session',
    tag: 'Older APIs',
    summary: 'Begin a conversation',
    credential: 'optional',
    body: sessionBody,
    answers: [{ status: 201, description: 'Made', schema: session.extend({ token: z.string().optional() }) }],
    problems: ['not_found'],
  },
  {
    method: 'post',
    path: '/chat/message',
    tag: 'Older APIs',
    summary: 'Say something; see POST /api/v1/chat',
    credential: 'needed',
    headers: [idempotencyKey],
    body: sessionMessageBody,
    answers: [ok(completedSchema, 'The reply'), events, accepted],
    problems: sendingProblems,
  },
  {
    method: 'get',
    path: '/chat/session/{id}',
    tag: 'Older APIs',
    summary: 'A conversation with its messages',
    credential: 'needed',
    answers: [ok(session.extend({ created_at: z.string(), messages: z.array(historyMessageSchema) }))],
    problems: ['not_found'],
  },
  {
    method: 'post',
    path: '/api/v2/chat/message',
    tag: 'Older APIs',
    summary: 'Say something in a channel envelope; see POST /api/v1/chat',
    credential: 'needed',
    headers: [idempotencyKey],
    body: channelMessageBody,
    answers: [ok(completedSchema, 'The reply'), events, accepted],
    problems: sendingProblems,
  },
  {
    method: 'get',
    path: '/api/v2/chat/conversations/{id}',
    tag: 'Older APIs',
    summary: 'A conversation with its messages',
    credential: 'needed',
    answers: [ok(conversationSchema.extend({ messages: z.array(historyMessageSchema) }))],
    problems: ['not_found'],
  },
];
