import { extname } from 'node:path';
import {
  maxSourceBytes,
  ProblemError,
  parseOrProblem,
  type SourceBody,
  sourceBody,
  sourceFormatOfExtension,
  sourceReplaceBody,
  sourceUploadFields,
} from '@sidestage/contracts';
import type { Request, RequestHandler } from 'express';
import multer from 'multer';
import { jsonBody } from '../http/json-body.js';

/** JSON writes a line break or a quote as two bytes; 1 MiB for the fields. */
const maxJsonBytes = 2 * maxSourceBytes + 1024 * 1024;
const utf8 = new TextDecoder('utf-8', { fatal: true });

const kindOfFormat: Record<string, SourceBody['kind']> = {
  srt: 'video',
  vtt: 'video',
  json3: 'video',
  markdown: 'article',
  html: 'article',
};

const receiveFile = multer({
  storage: multer.memoryStorage(),
  limits: { fileSize: maxSourceBytes, files: 1, fields: 20, fieldSize: 64 * 1024, parts: 30 },
  defParamCharset: 'utf8',
}).single('file');

/** Reads the body of an upload, JSON or multipart. */
export const receiveUpload: RequestHandler = (request, response, next) => {
  if (!isMultipart(request)) return jsonBody(maxJsonBytes)(request, response, next);
  receiveFile(request, response, (error: unknown) => {
    next(error ? uploadProblem(error) : undefined);
  });
};

function isMultipart(request: Request): boolean {
  return /^multipart\/form-data\b/i.test(request.headers['content-type'] ?? '');
}

function uploadProblem(error: unknown): unknown {
  if (!(error instanceof multer.MulterError)) {
    const detail = error instanceof Error ? error.message : 'The multipart body cannot be read.';
    return new ProblemError('bad_request', { detail, cause: error });
  }
  const errors = [{ path: error.field ?? 'file', message: error.message.toLowerCase() }];
  if (error.code === 'LIMIT_FILE_SIZE') return tooLarge('file');
  return new ProblemError('validation_failed', { detail: error.message, errors, cause: error });
}

/** A new source. Throws `validation_failed` or `too_large`, naming the field. */
export function readSource(request: Request): SourceBody {
  return parseOrProblem(sourceBody, isMultipart(request) ? fromFile(request, true) : fromJson(request));
}

/** What replaces a source: the content, and the fields that change. */
export function readReplacement(request: Request) {
  return parseOrProblem(sourceReplaceBody, isMultipart(request) ? fromFile(request, false) : fromJson(request));
}

function fromJson(request: Request): unknown {
  const body: unknown = request.body;
  const content = typeof body === 'object' && body !== null && 'content' in body ? body.content : undefined;
  const isPdf = typeof body === 'object' && body !== null && 'format' in body && body.format === 'pdf';
  if (typeof content === 'string' && Buffer.byteLength(content, isPdf ? 'base64' : 'utf8') > maxSourceBytes)
    throw tooLarge('content');
  return body;
}

/** Fields beside the file win; the file's name gives a new source its title and format. */
function fromFile(request: Request, withDefaults: boolean): unknown {
  if (!request.file) throw fileProblem('is missing');
  const { originalname, buffer } = request.file;
  const extension = extname(originalname).toLowerCase();
  const given = Object.fromEntries(Object.entries({ ...request.body }).filter(([, value]) => value !== ''));
  const format = given.format ?? (withDefaults ? sourceFormatOfExtension[extension] : undefined);
  const defaults = withDefaults && {
    title: originalname.slice(0, originalname.length - extension.length).slice(0, 300),
    format,
    kind: kindOfFormat[String(format)] ?? 'file',
  };
  const fields = parseOrProblem(sourceUploadFields, { ...defaults, ...given });
  return { ...fields, content: contentOf(buffer, fields.format) };
}

/** A PDF's bytes are kept as base64, everything else as the text it is. */
function contentOf(bytes: Buffer, format: SourceBody['format']): string {
  const isPdf = bytes.subarray(0, 5).toString('latin1') === '%PDF-';
  if (format === 'pdf' && !isPdf) throw fileProblem('must be a PDF file');
  return format === 'pdf' ? bytes.toString('base64') : decode(bytes);
}

function decode(bytes: Buffer): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw fileProblem('must be text in UTF-8');
  }
}

function fileProblem(message: string): ProblemError {
  return new ProblemError('validation_failed', { detail: `file: ${message}`, errors: [{ path: 'file', message }] });
}

function tooLarge(path: string): ProblemError {
  return new ProblemError('too_large', {
    detail: `${path}: must be at most 10 MiB.`,
    errors: [{ path, message: 'must be at most 10 MiB' }],
  });
}
