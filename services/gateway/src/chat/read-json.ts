import type { IncomingMessage } from 'node:http';
import { ProblemError } from '@sidestage/contracts';
import { parseJson } from '../http/json-body.js';

function refuseOtherTypes(request: IncomingMessage): void {
  const type = request.headers['content-type'];
  if (type !== undefined && !/^application\/([\w.+-]+\+)?json\s*(;|$)/i.test(type))
    throw new ProblemError('unsupported_media_type', { detail: 'Send the body as application/json.' });
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity')
    throw new ProblemError('unsupported_media_type', { detail: 'Send the body without a content encoding.' });
}

function tooLarge(maxBytes: number): ProblemError {
  return new ProblemError('too_large', {
    detail: `The body is larger than ${maxBytes / 1024} KiB.`,
    headers: { Connection: 'close' },
  });
}

/** The request's JSON body, at most `maxBytes`. Throws `too_large`, `malformed_json`, `unsupported_media_type`. */
export async function readJson(request: IncomingMessage, maxBytes: number): Promise<unknown> {
  refuseOtherTypes(request);
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge(maxBytes);
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > maxBytes) break;
      chunks.push(chunk);
    }
  } catch (error) {
    throw new ProblemError('bad_request', { detail: 'The body was cut off.', cause: error });
  }
  if (length > maxBytes) throw tooLarge(maxBytes);
  return parseJson(Buffer.concat(chunks));
}
