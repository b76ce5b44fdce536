import { maxChatBytes, ProblemError } from '@sidestage/contracts';
import express, { type Request, type RequestHandler } from 'express';

/** Deeper than any body of ours; deep input overflows what walks it. */
const maxDepth = 64;
const decoder = new TextDecoder('utf-8', { fatal: true });

/**
 * Reads a JSON body of at most `maxBytes`; none at all reads as `{}`. Only application/json is taken (415), in UTF-8, no deeper than 64
 * levels (400). `__proto__` keys are dropped.
 */
export function jsonBody(maxBytes = maxChatBytes): RequestHandler {
  const readBytes = express.raw({ type: () => true, limit: maxBytes });
  return (request, response, next) => {
    if (!hasBody(request)) {
      request.body = {};
      next();
      return;
    }
    if (!isJson(request.headers['content-type'])) {
      next(new ProblemError('unsupported_media_type', { detail: 'Send the body as application/json.' }));
      return;
    }
    readBytes(request, response, (error?: unknown) => {
      if (error) return next(error);
      try {
        request.body = parseJson(request.body);
      } catch (problem) {
        return next(problem);
      }
      next();
    });
  };
}

function hasBody(request: Request): boolean {
  if (request.method === 'GET' || request.method === 'HEAD' || request.method === 'DELETE') return false;
  return request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0;
}

function isJson(contentType: string | undefined): boolean {
  return /^application\/json\s*(;|$)/i.test(contentType ?? '');
}

/** Throws `malformed_json`. */
export function parseJson(bytes: unknown): unknown {
  if (!Buffer.isBuffer(bytes) || bytes.length === 0) return {};
  try {
    const text = decoder.decode(bytes);
    refuseDepth(text);
    return JSON.parse(text, /__proto__|\\u/i.test(text) ? dropPrototype : undefined);
  } catch (error) {
    if (error instanceof ProblemError) throw error;
    throw new ProblemError('malformed_json', { detail: 'The body is not valid JSON in UTF-8.' });
  }
}

function dropPrototype(key: string, value: unknown): unknown {
  return key === '__proto__' ? undefined : value;
}

function refuseDepth(text: string): void {
  let depth = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === 0x22) index = endOfString(text, index);
    else if (code === 0x7b || code === 0x5b) {
      if (++depth > maxDepth)
        throw new ProblemError('malformed_json', {
          detail: `The body is nested deeper than ${maxDepth} levels.`,
          errors: [{ path: '', message: `must not be nested deeper than ${maxDepth} levels` }],
        });
    } else if (code === 0x7d || code === 0x5d) depth--;
  }
}

/** Index of the quote that closes the string opened at `start`. */
function endOfString(text: string, start: number): number {
  let index = start + 1;
  while (index < text.length && text.charCodeAt(index) !== 0x22) index += text.charCodeAt(index) === 0x5c ? 2 : 1;
  return index;
}
