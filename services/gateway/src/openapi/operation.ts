import { type ProblemCode, pageOf, pageQuery } from '@sidestage/contracts';
import { z } from 'zod';

export interface OperationAnswer {
  status: number;
  description: string;
  schema?: z.ZodType;
  /** Default application/json. */
  type?: string;
  headers?: string[];
}

/** One operation of the API, with the schemas that validate it. */
export interface Operation {
  method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  /** As OpenAPI writes it: `/api/v1/creators/{id}`. */
  path: string;
  tag: string;
  summary: string;
  description?: string;
  /** `optional`: without a credential it answers for the public. */
  credential: 'needed' | 'optional' | 'none';
  query?: z.ZodObject;
  headers?: { name: string; description: string; schema?: z.ZodType }[];
  body?: z.ZodType;
  /** Fields of the multipart form that may be sent instead, beside `file`. */
  upload?: z.ZodType;
  answers: OperationAnswer[];
  /** Problems beside those every operation can have. */
  problems?: ProblemCode[];
}

export const page = pageQuery;
export const listOf = (item: z.ZodType) => pageOf(item);
export const noContent: OperationAnswer = { status: 204, description: 'Done' };
export const ok = (schema: z.ZodType, description = 'OK'): OperationAnswer => ({ status: 200, description, schema });
export const created = (schema: z.ZodType): OperationAnswer => ({
  status: 201,
  description: 'Made',
  schema,
});
export { z };
