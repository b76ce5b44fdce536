import { type LookupAddress, type LookupOptions, lookup as resolveName } from 'node:dns';
import { type IncomingMessage, type RequestOptions, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { maxSourceBytes } from '@sidestage/contracts';
import type { SourceFormat } from '../parse/parse-source.js';
import { ParseError } from '../parse/parsed.js';
import { decodeText, detectFormat } from './detect-format.js';
import { isPublicAddress } from './public-address.js';

export interface FetchOptions {
  /** `host:port` pairs that may be asked though their addresses are not public: an operator's own sites. */
  allowedHosts: readonly string[];
  /** From the first connection to the last byte, redirects included, in milliseconds. Default 30,000. */
  deadlineMs?: number;
}

export interface FetchAddress {
  url: string;
  /** Said by the creator: what plain text is, where neither its type nor its address says it. */
  format: SourceFormat;
}

export interface FetchedSource {
  format: SourceFormat;
  /** Text; of a PDF its bytes in base64. */
  content: string;
}

const mostRedirects = 5;
const defaultDeadlineMs = 30_000;
/** Answers that may be different another time: the job is tried again. */
const passingStatuses = new Set([408, 425, 429, 500, 502, 503, 504]);

/** The address could not be had this time. */
export class FetchFailedError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'FetchFailedError';
  }
}

/**
 * Fetches what an address answers with. Only public addresses are asked, at each redirect anew, and the address that was looked at is the one
 * connected to: a name that answers differently the second time gains nothing (OWASP, "Server-Side Request Forgery Prevention").
 * Throws ParseError for what will not be better another time, FetchFailedError for what may be.
 */
export async function fetchSource(
  address: FetchAddress,
  options: FetchOptions,
  signal?: AbortSignal,
): Promise<FetchedSource> {
  const late = AbortSignal.timeout(options.deadlineMs ?? defaultDeadlineMs);
  const stop = signal ? AbortSignal.any([signal, late]) : late;
  try {
    const { response, url } = await follow(new URL(address.url), options, stop);
    const type = response.headers['content-type'];
    const bytes = await readBody(response);
    const format = detectFormat({ url, type, bytes, said: address.format });
    return { format, content: format === 'pdf' ? bytes.toString('base64') : decodeText(bytes, type) };
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    if (late.aborted) throw new FetchFailedError(`${new URL(address.url).host} did not answer in time`);
    throw error;
  }
}

async function follow(
  first: URL,
  options: FetchOptions,
  signal: AbortSignal,
): Promise<{ response: IncomingMessage; url: URL }> {
  let url = first;
  for (let redirects = 0; ; redirects++) {
    const response = await ask(url, options, signal);
    const status = response.statusCode ?? 0;
    const { location } = response.headers;
    if (status >= 200 && status < 300) return { response, url };
    response.destroy();
    if (status >= 300 && status < 400 && location !== undefined) {
      if (redirects === mostRedirects) throw new ParseError(`${first.host} redirects more than ${mostRedirects} times`);
      url = redirected(url, location);
    } else if (passingStatuses.has(status)) throw new FetchFailedError(`${url.host} answered ${status}`);
    else throw new ParseError(`${url.host} answered ${status}: the address must be readable without signing in`);
  }
}

function redirected(from: URL, location: string): URL {
  const to = URL.canParse(location, from.href) ? new URL(location, from) : null;
  if (to === null || !['http:', 'https:'].includes(to.protocol))
    throw new ParseError(`${from.host} redirects to something that is no web address`);
  return to;
}

function ask(url: URL, options: FetchOptions, signal: AbortSignal): Promise<IncomingMessage> {
  const isAllowed = options.allowedHosts.includes(`${url.hostname}:${portOf(url)}`);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  // A literal address is connected to without being looked up.
  if (!isAllowed && isIP(host) !== 0 && !isPublicAddress(host)) throw notPublic(url);
  return new Promise((resolve, reject) => {
    const settings: RequestOptions = {
      method: 'GET',
      // Neither a proxy nor kept connections: each request goes where this one was allowed to go.
      agent: false,
      signal,
      lookup: isAllowed ? undefined : publicLookup(url),
      headers: {
        'User-Agent': 'Sidestage (source ingestion)',
        Accept: 'text/html, text/*, application/pdf, application/json;q=0.9, */*;q=0.1',
        'Accept-Encoding': 'identity',
      },
    };
    const request = url.protocol === 'https:' ? requestHttps(url, settings) : requestHttp(url, settings);
    request.once('response', resolve);
    request.once('error', (error) => reject(error instanceof ParseError ? error : failed(url, error)));
    request.end();
  });
}

/** Looks a name up and gives only public addresses on; the connection is made to what it gives. */
function publicLookup(url: URL): LookupFunction {
  return (hostname, options: LookupOptions, callback) => {
    resolveName(hostname, { ...options, all: true }, (error, found: LookupAddress[]) => {
      const reachable = error ? [] : found.filter(({ address }) => isPublicAddress(address));
      const [first] = reachable;
      if (error) callback(error, '', 0);
      // One private address among public ones is a name that is meant to lead inside.
      else if (!first || reachable.length < found.length) callback(notPublic(url), '', 0);
      else if (options.all) callback(null, reachable);
      else callback(null, first.address, first.family);
    });
  };
}

async function readBody(response: IncomingMessage): Promise<Buffer> {
  const { 'content-encoding': encoding = 'identity' } = response.headers;
  if (encoding !== 'identity') {
    response.destroy();
    throw new ParseError(`the address answers compressed (${encoding}) though it was asked not to`);
  }
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxSourceBytes) {
      response.destroy();
      throw new ParseError('what the address answers with is larger than 10 MiB');
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function portOf(url: URL): string {
  return url.port || (url.protocol === 'https:' ? '443' : '80');
}

function notPublic(url: URL): ParseError {
  return new ParseError(`${url.host} is not a public address: upload the file instead`);
}

function failed(url: URL, error: Error): Error {
  if (error.name === 'AbortError' || error.name === 'TimeoutError') return error;
  if ('code' in error && error.code === 'ENOTFOUND') return new ParseError(`${url.hostname} is no host anybody knows`);
  return new FetchFailedError(`${url.host} cannot be reached: ${error.message}`);
}
