import { conversationSchema, historyMessageSchema } from '@sidestage/contracts';
import { historyQuery, listQuery } from '../conversations/conversation-routes.js';
import { listOf, noContent, type Operation, ok } from './operation.js';

export const conversationOperations: Operation[] = [
  {
    method: 'get',
    path: '/api/v1/conversations',
    tag: 'Conversations',
    summary: 'One’s own conversations, the last used first',
    credential: 'needed',
    query: listQuery,
    answers: [ok(listOf(conversationSchema))],
  },
  {
    method: 'get',
    path: '/api/v1/conversations/{id}',
    tag: 'Conversations',
    summary: 'A conversation',
    credential: 'needed',
    answers: [ok(conversationSchema)],
    problems: ['not_found'],
  },
  {
    method: 'delete',
    path: '/api/v1/conversations/{id}',
    tag: 'Conversations',
    summary: 'Remove a conversation',
    credential: 'needed',
    answers: [noContent],
    problems: ['forbidden', 'not_found'],
  },
  {
    method: 'get',
    path: '/api/v1/conversations/{id}/messages',
    tag: 'Conversations',
    summary: 'What was said, oldest first',
    description: '`order=newest` begins with the last lines and pages back; lines within a page are oldest first.',
    credential: 'needed',
    query: historyQuery,
    answers: [ok(listOf(historyMessageSchema))],
    problems: ['not_found'],
  },
];
