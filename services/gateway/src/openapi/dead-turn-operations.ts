import { deadTurnDetailSchema, deadTurnQuery, deadTurnSchema, retriedTurnSchema } from '@sidestage/contracts';
import { listOf, noContent, type Operation, ok } from './operation.js';

const tag = 'Dead turns';

export const deadTurnOperations: Operation[] = [
  {
    method: 'get',
    path: '/api/v1/admin/dead-turns',
    tag,
    summary: 'The turns that were set aside because workers died over them, newest first (operators)',
    credential: 'needed',
    query: deadTurnQuery,
    answers: [ok(listOf(deadTurnSchema))],
    problems: ['forbidden'],
  },
  {
    method: 'get',
    path: '/api/v1/admin/dead-turns/{id}',
    tag,
    summary: 'One of them, with the message; reading it is audited (operators)',
    credential: 'needed',
    answers: [ok(deadTurnDetailSchema)],
    problems: ['forbidden', 'not_found'],
  },
  {
    method: 'delete',
    path: '/api/v1/admin/dead-turns/{id}',
    tag,
    summary: 'Take it off the list; the fan’s history keeps it as failed (operators)',
    credential: 'needed',
    answers: [noContent],
    problems: ['forbidden', 'not_found', 'conflict'],
  },
  {
    method: 'post',
    path: '/api/v1/admin/dead-turns/{id}/retry',
    tag,
    summary: 'Answer it after all (operators)',
    description:
      'The turn is open again in its place of the conversation: attempts at zero, a new deadline, a new stream of events under the same message id. It counts as in flight, and not against the quota again. Of two who retry one gets 409.',
    credential: 'needed',
    answers: [{ status: 202, description: 'It is in the queue again', schema: retriedTurnSchema }],
    problems: ['forbidden', 'not_found', 'conflict'],
  },
];
