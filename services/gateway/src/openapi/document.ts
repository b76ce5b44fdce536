import { type ProblemCode, problemCatalogue, problemSchema } from '@sidestage/contracts';
import { z } from 'zod';
import { version } from '../version.js';
import { accountOperations } from './account-operations.js';
import { chatOperations, olderOperations } from './chat-operations.js';
import { conversationOperations } from './conversation-operations.js';
import { creatorOperations } from './creator-operations.js';
import { deadTurnOperations } from './dead-turn-operations.js';
import { healthOperations } from './health-operations.js';
import { keyOperations } from './key-operations.js';
import type { Operation, OperationAnswer } from './operation.js';
import { sourceOperations } from './source-operations.js';

/** Everything but chat, the older APIs and health. */
export const platformOperations: Operation[] = [
  ...accountOperations,
  ...keyOperations,
  ...deadTurnOperations,
  ...creatorOperations,
  ...sourceOperations,
  ...conversationOperations,
];
export const operations: Operation[] = [
  ...chatOperations,
  ...platformOperations,
  ...olderOperations,
  ...healthOperations,
];

type Json = Record<string, unknown>;

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any', reused: 'inline' });
  return rest;
}

function parametersOf(operation: Operation): Json[] {
  const inPath = [...operation.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  const query = operation.query ? jsonSchema(operation.query, 'input') : {};
  const inQuery = Object.entries((query.properties ?? {}) as Record<string, Json>).map(([name, schema]) => ({
    name,
    in: 'query',
    required: false,
    schema,
  }));
  const inHeader = (operation.headers ?? []).map(({ name, description, schema = z.string() }) => ({
    name,
    in: 'header',
    required: false,
    description,
    schema: jsonSchema(schema, 'input'),
  }));
  const tenant = { $ref: '#/components/parameters/tenant' };
  return [...inPath, ...inQuery, ...inHeader, tenant];
}

function bodyOf({ body, upload }: Operation): Json | undefined {
  if (!body) return undefined;
  const content: Json = { 'application/json': { schema: jsonSchema(body, 'input') } };
  if (upload) {
    const fields = jsonSchema(upload, 'input');
    content['multipart/form-data'] = {
      schema: {
        ...fields,
        properties: { ...(fields.properties as Json), file: { type: 'string', format: 'binary' } },
        required: ['file'],
      },
    };
  }
  return { required: !body.safeParse({}).success, content };
}

function answerOf(answer: OperationAnswer): Json {
  const headers = Object.fromEntries((answer.headers ?? []).map((name) => [name, { schema: { type: 'string' } }]));
  return {
    description: answer.description,
    ...(answer.headers && { headers }),
    ...(answer.schema && {
      content: { [answer.type ?? 'application/json']: { schema: jsonSchema(answer.schema, 'output') } },
    }),
  };
}

/** By status; what can be had in two forms is one answer with two content types. */
function answersOf({ answers }: Operation): Json {
  const byStatus: Record<string, Json> = {};
  for (const answer of answers) {
    const known = byStatus[answer.status];
    const next = answerOf(answer);
    byStatus[answer.status] = known
      ? { ...known, content: { ...(known.content as Json), ...(next.content as Json) } }
      : next;
  }
  return byStatus;
}

/** Problems by status, with their codes. */
function problemsOf(operation: Operation): Json {
  const codes = new Set<ProblemCode>(['quota_exceeded', 'overloaded', 'unavailable', 'internal', 'timeout']);
  if (operation.credential !== 'none')
    for (const code of ['unauthenticated', 'token_expired', 'tenant_mismatch'] as const) codes.add(code);
  if (operation.body)
    for (const code of ['malformed_json', 'too_large', 'unsupported_media_type', 'validation_failed'] as const)
      codes.add(code);
  if (operation.query) codes.add('validation_failed');
  for (const code of operation.problems ?? []) codes.add(code);
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of codes) {
    const { status } = problemCatalogue[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, list]) => [
      String(status),
      {
        description: list.map((code) => `\`${code}\`: ${problemCatalogue[code].title}`).join('; '),
        content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
      },
    ]),
  );
}

function securityOf(credential: Operation['credential']): Json[] {
  if (credential === 'none') return [];
  const ways: Json[] = [{ accessToken: [] }, { apiKeyBearer: [] }, { apiKeyHeader: [] }];
  return credential === 'optional' ? [{}, ...ways] : ways;
}

function operationOf(operation: Operation): Json {
  const body = bodyOf(operation);
  return {
    tags: [operation.tag],
    summary: operation.summary,
    ...(operation.description && { description: operation.description }),
    operationId: `${operation.method}_${operation.path.replace(/[{}]/g, '').replace(/\W+/g, '_').replace(/^_/, '')}`,
    security: securityOf(operation.credential),
    parameters: parametersOf(operation),
    ...(body && { requestBody: body }),
    responses: {
      ...problemsOf(operation),
      ...answersOf(operation),
    },
  };
}

/** The OpenAPI 3.1 document, made from the schemas that validate. */
export function makeDocument(): Json {
  const paths: Record<string, Json> = {};
  for (const operation of operations) {
    paths[operation.path] = { ...paths[operation.path], [operation.method]: operationOf(operation) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Sidestage',
      version,
      description:
        'Fans chat with an AI that speaks from a creator’s own videos, podcasts and writing, and cites the second.',
    },
    paths,
    components: {
      parameters: {
        tenant: {
          name: 'X-Tenant-ID',
          in: 'header',
          required: false,
          description: 'Names the tenant for those without a credential; must else be the credential’s.',
          schema: { type: 'string' },
        },
      },
      schemas: { Problem: jsonSchema(problemSchema, 'output') },
      securitySchemes: {
        accessToken: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description: 'From auth/login or auth/guest',
        },
        apiKeyBearer: { type: 'http', scheme: 'bearer', description: 'An API key, sk_...' },
        apiKeyHeader: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
      },
    },
  };
}
